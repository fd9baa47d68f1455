"""The callbacks of `fit`: those here, and learning rates, the best model and TensorBoard in files of their own."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minitorch_cnn.arguments import flag, number, whole
from minitorch_cnn.arrays import Array
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.files.printable import counted
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.diagnosis import finite
from minitorch_cnn.training.ema import EMA
from minitorch_cnn.training.facts import is_number, is_whole
from minitorch_cnn.training.learning_rates import LRFinder
from minitorch_cnn.training.model_checkpoint import ModelCheckpoint
from minitorch_cnn.training.monitor import Monitor
from minitorch_cnn.training.plateau import ReduceLROnPlateau
from minitorch_cnn.training.tensorboard import TensorBoard
from minitorch_cnn.training.wise import WiSE

__all__ = [
    "EMA", "CSVLog", "Callback", "Checkpoint", "EarlyStopping", "LRFinder", "LearningRate", "ModelCheckpoint",
    "ReduceLROnPlateau", "TensorBoard", "WiSE",
]  # fmt: skip


class EarlyStopping(Callback):
    """Stop when `monitor` has not improved for `patience` epochs; `restore_best` then restores the best weights.

    `monitor` is a name in the history. A name ending in "accuracy" should rise, and any other should fall.
    """

    def __init__(self, monitor: str = "val_loss", patience: int = 5, restore_best: bool = True) -> None:
        self.monitor = Monitor(monitor, "auto", 0.0, "EarlyStopping")
        self.patience = whole(patience, "EarlyStopping: patience", 0)
        self.restore_best = flag(restore_best, "EarlyStopping: restore_best")
        self.reset()

    def reset(self) -> None:
        self.best: float | None = None
        self.waited = 0
        self.weights: dict[tuple[str, str], Array] = {}

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        value = self.monitor.value(results)
        if self.monitor.better(value, self.best):
            self.best, self.waited = value, 0
            if self.restore_best:
                self.weights = {key: array.copy() for key, array in _weights(trainer.model).items()}
        else:
            self.waited += 1
            if self.waited >= self.patience:
                trainer.stop(
                    f"{self.monitor.name} has not improved on {self.best:.4f} for {counted(self.patience, 'epoch')}"
                )

    def on_train_end(self, trainer: Any) -> None:
        for (layer, name), array in self.weights.items():
            trainer.model.get_layer(layer).parameters[name] = array

    def state(self) -> tuple[dict, dict[str, Any]]:
        return dict(self.weights), {"best": self.best, "waited": self.waited}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        best, waited = facts["best"], facts["waited"]
        if not (best is None or is_number(best)) or not is_whole(waited):
            raise ValueError("EarlyStopping: its best value or its number of epochs is not valid")
        self.weights, self.best, self.waited = dict(arrays), best, waited

    def on_train_begin(self, trainer: Any) -> None:
        shapes = {key: array.shape for key, array in _weights(trainer.model).items()}
        resumed = trainer.history and self.weights
        if resumed and shapes != {key: array.shape for key, array in self.weights.items()}:
            raise CheckpointError("EarlyStopping: the best weights in the checkpoint are not weights of this model")


class LearningRate(Callback):
    """Set the learning rate of each epoch: `schedule(epoch)`, epochs counted from 0."""

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if not callable(schedule):
            raise ArgumentError(f"LearningRate: expected a function of the epoch's number, got {schedule!r}")
        self.schedule = schedule

    def on_train_begin(self, trainer: Any) -> None:
        trainer.optimizer.learning_rate = self.schedule(trainer.epoch)

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        trainer.optimizer.learning_rate = self.schedule(trainer.epoch + 1)


class CSVLog(Callback):
    """Write the history to a CSV file, one row per epoch; the file is complete at every moment."""

    def __init__(self, path: str | Path) -> None:
        self.path = _path(path, "CSVLog")

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = list(trainer.history)
        writer.writerow(["epoch", *names])
        for epoch, row in enumerate(zip(*(trainer.history[name] for name in names)), 1):
            writer.writerow([epoch, *row])
        if not trainer.ranks.reports:
            return
        with replacing(self.path) as file:
            file.write(text.getvalue().encode())


class Checkpoint(Callback):
    """Save the whole state of the training to `path` after each epoch, every `seconds` within one, and at Ctrl-C.

    `fit(..., resume=path)` continues from there to the same bits. The message at Ctrl-C advises `resume_command`. The
    file also records the settings and the data (`settings_record.py`, `data_record.py`), which must be the same then.
    """

    def __init__(self, path: str | Path, seconds: float = 60.0, resume_command: str | None = None) -> None:
        self.path = _path(path, "Checkpoint")
        expected = "a number of at least 0"
        self.seconds = number(seconds, "Checkpoint: seconds", expected, lambda v: v >= 0)  # infinity: never within one
        if resume_command is not None and not isinstance(resume_command, str):
            raise ArgumentError(f"Checkpoint: resume_command: expected a text, got {resume_command!r}")
        self.resume_command = resume_command or f"fit(..., resume={str(self.path)!r})"
        self.saved = time.monotonic()

    def on_train_begin(self, trainer: Any) -> None:
        self.saved = time.monotonic()

    def on_batch_end(self, trainer: Any) -> None:
        if time.monotonic() - self.saved >= self.seconds and trainer.batch < len(trainer.batches):
            self.save(trainer)

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        trainer.after_epoch = self  # saves once the epoch is counted and every callback has been called

    def on_interrupt(self, trainer: Any) -> str | None:
        self.save(trainer)
        return f"saved {self.path}; continue with: {self.resume_command}"

    def save(self, trainer: Any) -> None:
        """Write the checkpoint now, unless the weights have become NaN, which the next step will report."""
        if trainer.ranks.reports and finite(trainer.model.vector.values):
            arrays, facts = trainer.state()
            checkpoint.save(self.path, arrays, facts, keep_previous=True)
        self.saved = time.monotonic()

    def on_train_end(self, trainer: Any) -> None:
        if trainer.ranks.reports:
            checkpoint.previous(self.path).unlink(missing_ok=True)  # the last one is good and stays


def _path(path: Any, name: str) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"{name}: expected the path of a file, got {path!r}")
    found = Path(os.path.expanduser(path))
    if found.is_dir():
        raise ArgumentError(f"{name}: expected the path of a file, got the folder {str(path)!r}")
    return found


def _weights(model):
    return {(layer.name, name): array for layer in model.layers for name, array in layer.parameters.items()}
