"""What a checkpoint records of its settings, so that a resumed training notices that one of them was changed.

A training can continue to the same bits only with the settings that it began with. These may change: what decides only
speed or what is shown (`workers`, `progress`, `cache_features`, the number of processes, the device, the algorithm of a
convolution), the settings of callbacks, the number of `epochs`, and the learning rates of steps that are not taken yet.
So with a constant learning rate, or a schedule over a given number of steps, a training may be continued for longer. If
the schedule was made from the number of epochs, the steps before had other rates, and the training is refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

from minitorch_cnn.engine.schedules import SCHEDULES, Schedule
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training.callbacks import LearningRate, LRFinder, ReduceLROnPlateau

COMPARED = 1000  # steps whose learning rates are compared
BY_CALLBACK = (
    LearningRate,
    LRFinder,
    ReduceLROnPlateau,
)  # these decide the learning rate, not the optimizer's schedule
LONGEST = 120  # characters of a setting in a message


def settings_record(trainer: Any) -> dict[str, Any]:
    """{name of a setting: description} of a `Trainer` before its first step, ready for JSON."""
    model, optimizer, batches = trainer.model, trainer.optimizer, trainer.batches
    by_callback = next((callback for callback in trainer.callbacks if isinstance(callback, BY_CALLBACK)), None)
    record = {
        "seed": batches.seed,
        "batch_size": batches.batch_size,
        "shuffle": bool(batches.shuffle),
        "optimizer": {"kind": type(optimizer).__name__, **optimizer.config()},
        "learning_rate": _described(by_callback or optimizer.schedule),
        "loss": _described(trainer.loss),
        "augment": _described(batches.augment),
        "preprocessing": _described(model.preprocessing),
        "dtype": model.dtype.name,
        "gradient_accumulation_steps": trainer.accumulated if trainer.accumulated > 1 else None,
        **{f"layer {layer.name}": _of_layer(layer) for layer in model.layers},
    }
    if any(layer.random is not False for layer in model.layers):
        record["the model's seed"] = model.seed
    return json.loads(json.dumps(record, default=_plain))


def changed(stored: dict[str, Any], own: dict[str, Any]) -> list[str]:
    """What has changed since the checkpoint was `stored`, in words: "batch_size was 13 in the run and is now 10"."""
    names = dict.fromkeys([*own, *stored])
    pairs = [(name, stored.get(name), own.get(name)) for name in names]
    return [f"{name} was {_words(before, now)} in the run and is now {_words(now, before)}"
            for name, before, now in pairs if not _same(before, now)]  # fmt: skip


def with_rates_to_come(stored: dict[str, Any], trainer: Any, steps: int) -> dict[str, Any]:
    """The `stored` record with the learning rate of `trainer`, if its schedule gives the first `steps` steps theirs.

    If the rates of steps already taken differ, or a callback sets them, the record is returned unchanged.
    """
    schedule, before = trainer.optimizer.schedule, stored.get("learning_rate")
    kinds = {**SCHEDULES, type(schedule).__name__: type(schedule)}
    by_callback = any(isinstance(callback, BY_CALLBACK) for callback in trainer.callbacks)
    if by_callback or not isinstance(schedule, Schedule) or not isinstance(before, dict):
        return stored
    try:
        earlier = kinds[before["kind"]](**{name: value for name, value in before.items() if name != "kind"})
        taken = range(0, steps, max(1, steps // COMPARED))
        same = all(math.isclose(earlier(step), schedule(step), rel_tol=1e-9) for step in taken)
    except (TypeError, ValueError, ArithmeticError, LookupError):  # the file may hold anything
        return stored
    return {**stored, "learning_rate": _described(schedule)} if same else stored


def _described(thing):
    """None, or {"kind": name of the class or function, and what its `config()` says}."""
    if thing is None:
        return None
    own = getattr(thing, "config", None)
    kind = getattr(thing, "__qualname__", type(thing).__name__)
    return {**(own() if callable(own) else {}), "kind": kind}


def _of_layer(layer):
    config = {name: value for name, value in layer.config().items() if name not in ("name", "algorithm")}
    return {**config, "kind": type(layer).__name__}


def _plain(value):
    """A value that JSON does not know: the number of a NumPy scalar, otherwise the name of its class."""
    return value.item() if getattr(value, "shape", None) == () else type(value).__name__


def _same(before, now):
    """Whether two descriptions are equal, up to the rounding of a mean that another computer has computed."""
    if isinstance(before, dict) and isinstance(now, dict):
        return before.keys() == now.keys() and all(_same(before[name], now[name]) for name in now)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_same, before, now))
    if isinstance(before, float) and isinstance(now, (int, float)):
        return math.isclose(before, now, rel_tol=1e-9)
    return before == now


def _words(value, other):
    """A description as text; of two things of one kind only what differs."""
    if isinstance(value, dict):
        alike = isinstance(other, dict) and value.get("kind") == other.get("kind")
        names = [name for name in value if name != "kind" and not (alike and _same(value[name], other.get(name)))]
        value = f"{value.get('kind')}({', '.join(f'{name}={value[name]!r}' for name in names)})"
    text = printable("none" if value is None else value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
