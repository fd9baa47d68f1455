"""The model of every epoch, or of the best one, in a file."""

from __future__ import annotations

import os
from typing import Any

from minitorch_cnn.arguments import flag
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.replacing import make_folder_of
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.facts import is_number
from minitorch_cnn.training.monitor import Monitor, only_of_package
from minitorch_cnn.training.progress import say
from minitorch_cnn.training.shared_step import align

NAME = "ModelCheckpoint"


class ModelCheckpoint(Callback):
    """Save the model after each epoch, or with `save_best_only` after each that is the best so far, as in Keras.

    Arguments: `filepath` ends as `model.save` knows it (.npz, .keras, .h5), or with `save_weights_only` in .h5; it may
    contain `{epoch}` and names of the history, such as "{epoch:02d}-{val_loss:.2f}.keras"; `monitor` and `mode` say
    what is best, see `ReduceLROnPlateau`; with `restore_best` the model has the best epoch's weights when training
    ends; with `verbose` a line says what was saved. A missing folder is made.

    Keras's formats store float32; only .npz keeps all bits of a float64 model. Unlike `Checkpoint` the file holds the
    model alone, so a training cannot be resumed from it.
    """

    def __init__(
        self, filepath: str | os.PathLike, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False,
        save_weights_only: bool = False, mode: str = "auto", restore_best: bool = False,
    ) -> None:  # fmt: skip
        if not isinstance(filepath, (str, os.PathLike)):
            raise ArgumentError(f"{NAME}: filepath: expected the path of a file, got {filepath!r}")
        self.filepath = os.fspath(filepath)
        best = Monitor(monitor, mode, 0.0, NAME)
        self.save_best_only = flag(save_best_only, f"{NAME}: save_best_only")
        self.monitor = best if self.save_best_only else None
        self.save_weights_only = flag(save_weights_only, f"{NAME}: save_weights_only")
        self.restore_best = flag(restore_best, f"{NAME}: restore_best")
        self.verbose = flag(verbose, f"{NAME}: verbose")
        if self.restore_best and not self.save_best_only:
            raise ArgumentError(f"{NAME}: restore_best: expected save_best_only=True with it")
        if self.save_weights_only and not self.filepath.lower().endswith((".h5", ".hdf5")):
            raise ArgumentError(f"{NAME}: filepath: expected a name that ends in .h5, got {self.filepath!r}")
        _filled(self.filepath, _Anything())
        self.reset()

    def reset(self) -> None:
        self.best: float | None = None
        self.path: str | None = None  # of the last file that was written

    def on_train_begin(self, trainer: Any) -> None:
        if not self.save_weights_only:
            trainer.model.require_savable(self.filepath)
        if only_of_package(trainer.callbacks):  # another may add names to the results
            _filled(self.filepath, {"epoch": 0, **dict.fromkeys(trainer.names_of_results(), 0.0)})

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        if self.monitor is not None:
            value = self.monitor.value(results)
            if not self.monitor.better(value, self.best):
                return
            self.best = value
        self.path = _filled(self.filepath, {"epoch": trainer.epoch + 1, **results})
        if trainer.ranks.reports:
            make_folder_of(self.path)
            save = trainer.model.save_weights if self.save_weights_only else trainer.model.save
            save(self.path)
            if self.verbose:
                say(f"epoch {trainer.epoch + 1}: saved {self.path}")

    def on_train_end(self, trainer: Any) -> None:
        if self.restore_best and self.path is not None:
            trainer.ranks.from_first(lambda: trainer.model.load_weights(self.path))
            align(trainer.model, trainer.ranks)

    def state(self) -> tuple[dict, dict[str, Any]]:
        return {}, {"best": self.best, "path": self.path}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        best, path = facts["best"], facts["path"]
        if not (best is None or is_number(best)) or not (path is None or isinstance(path, str)):
            raise ValueError(f"{NAME}: its best value or its path is not valid")
        self.best, self.path = best, path


class _Anything(dict):
    def __missing__(self, name):
        return 0.0 if name != "epoch" else 0


def _filled(filepath, values):
    """`filepath` with its {names} replaced; ArgumentError if that is not possible."""
    try:
        return filepath.format_map(values)
    except KeyError as error:
        names = ", ".join(values)
        raise ArgumentError(f"{NAME}: filepath: expected one of {names} in braces, got {error}") from None
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise ArgumentError(f"{NAME}: filepath: {filepath!r} cannot be filled in ({error})") from None
