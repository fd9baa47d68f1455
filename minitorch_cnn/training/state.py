"""The state of a training: how it is collected for a checkpoint, and how it is restored from one."""

import contextlib
import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minitorch_cnn.arrays import on_host
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.data_record import data_records, difference
from minitorch_cnn.training.facts import check_facts
from minitorch_cnn.training.progress import say
from minitorch_cnn.training.settings_record import changed, settings_record, with_rates_to_come

MOST = 3  # differences that a message lists
OLDER = "written by an older version, which did not record its data and settings, so they are not compared"


class TrainingState:
    """The part of a `Trainer` that saves and restores its state."""

    @functools.cached_property
    def records(self: Any) -> dict[str, Any]:
        """What a checkpoint records of the settings and the data, taken before training changes or replaces them."""
        training = self.batches.images, self.batches.labels
        return {"settings": settings_record(self), "data": data_records(training, self.validation)}

    def state(self: Any) -> tuple[dict, dict[str, Any]]:
        """(arrays, facts) for a checkpoint."""
        arrays, draws = {}, {}
        if not self.optimizer.follows(self.model):  # a callback has just frozen or unfrozen something
            self.optimizer.prepare(self.model)
        for (layer, name), value in self.model.state().items():
            if name == "draws":
                draws[layer] = value
            else:
                arrays["model", layer, name] = value
        arrays.update({("optimizer", *key): value for key, value in self.optimizer.state().items()})
        states = []
        for number, callback in enumerate(self.callbacks):
            own, facts = callback.state()
            own = {("callback", str(number), *_as_tuple(key)): on_host(value) for key, value in own.items()}
            arrays.update(own)
            shapes = [[*key[2:], *value.shape] for key, value in own.items()]
            states.append([type(callback).__name__, facts, shapes])
        facts = {
            "first_epoch": self.first_epoch,
            "epoch": self.epoch,
            "batch": self.batch,
            "totals": self.totals,
            "rate": self.rate,
            "history": self.history,
            "steps": self.optimizer.steps,
            "draws": draws,
            "callbacks": states,
            "stopped": self.stopped,
            "trainable": {layer.name: layer.trainable for layer in self.model.layers},
            **self.records,
        }
        return {key: on_host(value) for key, value in arrays.items()}, facts

    def load(self: Any, path: str | Path) -> None:
        """Restore the checkpoint at `path`; CheckpointError, which says what differs, if it is of another training.

        Other data and other settings are refused; `settings_record.py` says what may change. The model and the
        optimizer are changed only if everything fits.
        """
        arrays, facts, damage = self.ranks.from_first(lambda: self._loaded(path))
        if self.ranks.reports:
            for line in (damage, None if "settings" in facts else f"{path}: {OLDER}"):
                if line:
                    say(line, sys.stderr)
        with _one_line(path), _frozen_as(self.model, facts.get("trainable", {})):
            check_facts(facts, len(self.batches))
            self.optimizer.prepare(self.model)
            model = {("model", *key): value for key, value in self.model.state().items() if key[1] != "draws"}
            optimizer = {("optimizer", *key): value for key, value in self.optimizer.state().items()}
            _require_same_arrays(path, "model", model, arrays)
            _require_same_arrays(path, "optimizer", optimizer, arrays)
            states = self._states_of_callbacks(path, arrays, facts["callbacks"])
            state = {key[1:]: arrays[key] for key in model}
            state.update({(layer, "draws"): count for layer, count in facts["draws"].items()})
            self.model.load_state(state)
            self.optimizer.load_state({key[1:]: arrays[key] for key in optimizer})
            self.optimizer.steps = facts["steps"]
            for callback, kept, callback_facts in states:
                callback.load_state(kept, callback_facts)
            self.first_epoch = facts.get("first_epoch", 0)
            self.epoch, self.batch, self.totals = facts["epoch"], facts["batch"], facts["totals"]
            self.model.epochs_trained = self.first_epoch + self.epoch
            self.rate, self.history, self.stopped = facts["rate"], facts["history"], facts["stopped"]

    def _loaded(self: Any, path):
        """The checkpoint at `path`; CheckpointError if its data or settings differ. One rank compares, for all."""
        arrays, facts, damage = checkpoint.load_last(path)
        with _one_line(path):
            if "settings" in facts:
                other_data = difference(facts["data"], self.records["data"])
                settings = with_rates_to_come(facts["settings"], self, facts["steps"])
                others = [other_data] if other_data else changed(settings, self.records["settings"])
            else:
                stored = {name: facts[name] for name in ("seed", "batch_size", "images", "optimizer")}
                own = {**self.records["settings"], "images": len(self.batches.images)}
                own["optimizer"] = own["optimizer"]["kind"]
                others = changed(stored, {name: own[name] for name in stored})
            if others:
                shown = ", ".join([*others[:MOST], *([f"and {len(others) - MOST} more"] if len(others) > MOST else [])])
                raise CheckpointError(f"{path}: this is not the training that was saved there: {shown}")
        return arrays, facts, damage

    def _states_of_callbacks(self: Any, path, arrays, states):
        """[(callback, its arrays, its facts)]: the first EarlyStopping now gets the state of the first one before."""
        found, left = [], list(self.callbacks)
        for number, (kind, facts, *shapes) in enumerate(states):
            kept = {key[2:]: array for key, array in arrays.items() if key[:2] == ("callback", str(number))}
            if shapes and sorted(map(str, shapes[0])) != sorted(str([*k, *array.shape]) for k, array in kept.items()):
                raise CheckpointError(f"{path}: the arrays of its callback {kind} are not those that were saved")
            callback = next((callback for callback in left if type(callback).__name__ == kind), None)
            if callback is not None:
                left.remove(callback)
                found.append((callback, kept, facts))
            elif kept or facts:
                raise CheckpointError(f"{path}: expected a callback {printable(kind)[:60]} as in the run, got none")
        return found


@contextlib.contextmanager
def _one_line(path: str | Path) -> Iterator[None]:
    """Context that turns what unexpected values in a checkpoint raise into a CheckpointError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of this training ({printable(error)[:300]})") from None


@contextlib.contextmanager
def _frozen_as(model: Any, trainable: Mapping[str, Any]) -> Iterator[None]:
    """Context that first sets what is `trainable` {layer name: bool}, as callbacks have by the time of the checkpoint.

    An exception restores it. Older files do not say it.
    """
    before = {layer: layer.trainable for layer in model.layers}
    try:
        for name, value in trainable.items():
            if not isinstance(value, bool):
                raise ValueError(f"trainable: {value!r:.40} is not valid")
            model.get_layer(name).trainable = value
        yield
    except BaseException:
        for layer, value in before.items():
            layer.trainable = value
        raise


def _require_same_arrays(path, part, expected: Mapping, arrays: Mapping) -> None:
    """CheckpointError, which names the first array that differs, unless the `part` has the `expected` arrays."""
    stored = {key: array for key, array in arrays.items() if key[0] == part}
    for key in dict.fromkeys([*expected, *stored]):
        shapes = [str(tuple(found[key].shape)) if key in found else "none" for found in (expected, stored)]
        if shapes[0] != shapes[1]:
            name = printable("/".join(key[1:]))[:100]
            raise CheckpointError(f"{path}: {part} array {name}: expected shape {shapes[0]}, got {shapes[1]}")


def _as_tuple(key):
    return key if isinstance(key, tuple) else (key,)
