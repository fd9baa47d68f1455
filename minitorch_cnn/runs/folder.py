"""A run folder: one training, from its settings to its report.

config.json      the settings and the model's description; written first
checkpoint.npz   the state of the training; replaced again and again while it runs
history.csv      one row per epoch
model.npz        the trained model, for `predict`
report.html      the report to open in a browser
predictions.csv  what the model says to each test image, if these are files (predictions-top.csv: after the first phase)
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, asdict
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from minitorch_cnn import parallel
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.lock import only_one
from minitorch_cnn.files.printable import printable, word
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.network.model import Model
from minitorch_cnn.network.own_file import LONGEST_DESCRIPTION, write_own_file
from minitorch_cnn.network.stored_model import stored_model
from minitorch_cnn.parallel.ranks import Alone
from minitorch_cnn.runs.continuing import report_last_checkpoint
from minitorch_cnn.training import checkpoint

NEVER_ZERO = ("batch_size",)
LONGEST_PATH = 4096  # characters; no operating system allows longer ones
LARGEST_CONFIG = 1 << 22  # bytes; VGG16 takes about five thousand

Settings = TypeVar("Settings")  # a dataclass


class RunFolder:
    """The files of one run, by name."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.expanduser(path))
        self.config, self.checkpoint = self.path / "config.json", self.path / "checkpoint.npz"
        self.history, self.model = self.path / "history.csv", self.path / "model.npz"
        self.report, self.predictions = self.path / "report.html", self.path / "predictions.csv"

    @classmethod
    def fresh(cls, name: str, path: str | Path | None = None) -> "RunFolder":
        """A new folder: `path`, or else runs/NAME-DATE-TIME; CheckpointError if it already holds a run."""
        if path is None:
            path = _unused(Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        folder = cls(path)
        if folder.config.exists():
            raise CheckpointError(
                f"{folder.path}: already holds a run; continue it with --resume {word(folder.path)},"
                " or choose another --out"
            )
        return folder

    def write_config(self, settings: Any, model: Model) -> None:
        """Write the settings (a dataclass) and the model's description."""
        text = json.dumps({"settings": asdict(settings), "model": model.config()}, indent=1)
        with replacing(self.config) as file:
            file.write(text.encode())

    def read_settings(self, kind: Callable[..., Settings]) -> Settings:
        """The settings that the run was started with, as the dataclass `kind`.

        Raises CheckpointError if the folder holds no run, or one that cannot be read or was started by another command.
        """
        try:
            stored = json.loads(read_small(self.config, LARGEST_CONFIG))["settings"]
            fields = kind.__dataclass_fields__  # type: ignore[attr-defined]
            if not stored.keys() <= fields.keys() or any(
                name not in stored and field.default is MISSING for name, field in fields.items()
            ):
                raise CheckpointError(
                    f"{self.path}: this run was started by another command: train and fine-tune each resume their own"
                )
            return _checked(kind(**stored))
        except CheckpointError:
            raise
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(f"{self.path}: expected a run folder with a config.json, found none") from None
        except OSError as error:
            raise CheckpointError(f"{self.config}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{self.config}: cannot be read ({printable(error)[:300]})") from None

    def save_model(self, model: Model, class_names: Sequence[str]) -> None:
        """Save the trained model with the names of its classes."""
        write_own_file(self.model, model, class_names)

    def load_model(self) -> tuple[Model, list[str]]:
        """(model, class names) of a finished run; CheckpointError if it is not finished."""
        if self.config.exists() and not self.model.exists():
            raise CheckpointError(
                f"{self.path}: the training is not finished; continue it with --resume {word(self.path)}"
            )
        if not self.model.exists():
            found = f"no {self.model.name} in it" if self.path.is_dir() else "no such folder"
            raise CheckpointError(f"{self.path}: expected the folder of a finished run, found {found}")
        model, names = stored_model(self.model, *checkpoint.load(self.model, LONGEST_DESCRIPTION))
        if names is None:
            raise CheckpointError(f"{self.model}: not a model saved by minitorch-cnn (it names no classes)")
        return model, names

    @contextlib.contextmanager
    def training(
        self, ranks: Alone, command: str, fresh: bool, names: Sequence[str] = ("checkpoint.npz",)
    ) -> Iterator[None]:
        """Context for a training in this folder: no other may run there, and an early end says how to continue.

        Arguments: `command` continues the training; `fresh` says that it is new, not resumed; `names` of its
        checkpoints, the later ones first.
        """
        reporting = report_last_checkpoint(self, [self.path / name for name in names], command)
        if not ranks.reports:
            with reporting:
                yield
            return
        with contextlib.ExitStack() as around:
            around.enter_context(only_one(self.path))
            if fresh and self.config.exists():  # another process began a run there in the meantime
                raise CheckpointError(f"{self.path}: already holds a run; continue it with --resume {word(self.path)}")
            if ranks.size > 1:
                killed = "minitorch-cnn: a process was killed", f"; continue with: {command}", self.config
                around.enter_context(parallel.message_if_killed(*killed))
            around.enter_context(reporting)
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # succeeds only if the folder is still empty
                raise


def _unused(stem):
    """Make the first of `stem`, `stem`-2, `stem`-3, ... that does not exist: two runs may begin in one second."""
    path, number = stem, 2
    while True:
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            path, number = stem.with_name(f"{stem.name}-{number}"), number + 1
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from None


def _checked(settings):
    """The settings unchanged; ValueError if a value is not of its field's type or out of range."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if kind in (int, float):
            number = isinstance(value, (int, kind)) and not isinstance(value, bool)
            good = number and (name in NEVER_ZERO) <= value < 2**63
        elif kind is bool:
            good = isinstance(value, bool)
        else:
            good = isinstance(value, kind) and len(value or "") <= LONGEST_PATH
        if not good:
            raise ValueError(f"{name}: {str(value)[:40]!r} is not a valid value")
    return settings
