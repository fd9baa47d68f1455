"""The state of a training: how it is collected for a checkpoint, and how it is restored from one."""

import sys
from pathlib import Path
from typing import Any

from minitorch_cnn.arrays import on_host
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.facts import check_facts
from minitorch_cnn.training.progress import say


class TrainingState:
    """The part of a `Trainer` that saves and restores its state."""

    def state(self: Any) -> tuple[dict, dict[str, Any]]:
        """(arrays, facts) for a checkpoint."""
        arrays, draws = {}, {}
        for (layer, name), value in self.model.state().items():
            if name == "draws":
                draws[layer] = value
            else:
                arrays["model", layer, name] = value
        arrays.update({("optimizer", *key): value for key, value in self.optimizer.state().items()})
        states = []
        for number, callback in enumerate(self.callbacks):
            callback_arrays, facts = callback.state()
            arrays.update({("callback", str(number), *_as_tuple(key)): value for key, value in callback_arrays.items()})
            states.append([type(callback).__name__, facts])
        facts = {
            "epoch": self.epoch,
            "batch": self.batch,
            "totals": self.totals,
            "rate": self.rate,
            "history": self.history,
            "steps": self.optimizer.steps,
            "optimizer": type(self.optimizer).__name__,
            "draws": draws,
            "seed": self.batches.seed,
            "images": len(self.batches.images),
            "batch_size": self.batches.batch_size,
            "callbacks": states,
            "stopped": self.stopped,
        }
        return {key: on_host(value) for key, value in arrays.items()}, facts

    def load(self: Any, path: str | Path) -> None:
        """Restore the checkpoint at `path`; CheckpointError if it belongs to a different training."""
        arrays, facts, damage = self.ranks.from_first(lambda: checkpoint.load_last(path))
        if damage and self.ranks.reports:
            say(damage, sys.stderr)
        own = {
            "seed": self.batches.seed,
            "images": len(self.batches.images),
            "batch_size": self.batches.batch_size,
            "optimizer": type(self.optimizer).__name__,
        }
        for name, value in own.items():
            if facts.get(name) != value:
                got = printable(facts.get(name))[:60]
                raise CheckpointError(f"{path}: expected a training with {name} {value}, got {got}")
        expected = {("model", *key): value.shape for key, value in self.model.state().items() if key[1] != "draws"}
        stored = {key: array.shape for key, array in arrays.items() if key[0] == "model"}
        if expected != stored:
            raise CheckpointError(f"{path}: its layers differ from this model's")
        try:
            check_facts(facts, len(self.batches))
            self._restore(arrays, facts, expected)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"{path}: not a checkpoint of this training ({printable(error)[:300]})") from None

    def _restore(self, arrays, facts, expected):
        state = {key[1:]: arrays[key] for key in expected}
        state.update({(layer, "draws"): count for layer, count in facts["draws"].items()})
        self.model.load_state(state)
        self.optimizer.prepare(self.model)
        self.optimizer.load_state({key[1:]: array for key, array in arrays.items() if key[0] == "optimizer"})
        self.optimizer.steps = facts["steps"]
        for number, (callback, (kind, callback_facts)) in enumerate(zip(self.callbacks, facts["callbacks"])):
            if type(callback).__name__ == kind:
                kept = {key[2:]: array for key, array in arrays.items() if key[:2] == ("callback", str(number))}
                callback.load_state(kept, callback_facts)
        self.epoch, self.batch, self.totals = facts["epoch"], facts["batch"], facts["totals"]
        self.rate, self.history, self.stopped = facts["rate"], facts["history"], facts["stopped"]


def _as_tuple(key):
    return key if isinstance(key, tuple) else (key,)
