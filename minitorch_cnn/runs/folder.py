"""A run folder: one training, from its settings to its report.

config.json      what was asked for, and the model; written first
checkpoint.npz   where the training is; replaced as it goes on
history.csv      one row an epoch
model.npz        the trained model, for `predict`
report.html      the page of the run
"""

import contextlib
import json
import time
from dataclasses import MISSING, asdict
from pathlib import Path
from typing import get_type_hints

from minitorch_cnn import parallel
from minitorch_cnn.arrays import on_host
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.lock import only_one
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.runs.going_on import saying_what_is_kept
from minitorch_cnn.runs.stored_model import stored_model
from minitorch_cnn.training import checkpoint

NEVER_ZERO = ("batch_size", "size")
LONGEST_PATH = 4096  # characters; no system takes longer ones
LARGEST_CONFIG = 1 << 24  # bytes; the 18 layers of VGG16 take five thousand


class RunFolder:
    """The files of one run, by name."""

    def __init__(self, path):
        self.path = Path(path)
        self.config, self.checkpoint = self.path / "config.json", self.path / "checkpoint.npz"
        self.history, self.model = self.path / "history.csv", self.path / "model.npz"
        self.report = self.path / "report.html"

    @classmethod
    def fresh(cls, name, path=None):
        """A new folder: `path`, or runs/NAME-DATE-TIME; CheckpointError when there is a run in it already."""
        if path is None:
            path = _unused(Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        folder = cls(path)
        if folder.config.exists():
            raise CheckpointError(
                f"{folder.path}: holds a run already; go on with --resume {folder.path}, or name another --out"
            )
        return folder

    def write_config(self, settings, model):
        """Keep the settings and the model's description."""
        text = json.dumps({"settings": asdict(settings), "model": model.config()}, indent=1)
        with replacing(self.config) as file:
            file.write(text.encode())

    def read_settings(self, kind):
        """The settings, of the dataclass `kind`, that the run was started with; CheckpointError when there are none."""
        try:
            stored = json.loads(read_small(self.config, LARGEST_CONFIG))["settings"]
            fields = kind.__dataclass_fields__
            if not stored.keys() <= fields.keys() or any(
                name not in stored and field.default is MISSING for name, field in fields.items()
            ):
                raise CheckpointError(f"{self.path}: is the run of another command")
            return _checked(kind(**stored))
        except CheckpointError:
            raise
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(f"{self.path}: expected a run folder with a config.json, found none") from None
        except OSError as error:
            raise CheckpointError(f"{self.config}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{self.config}: cannot be read ({printable(error)[:300]})") from None

    def save_model(self, model, class_names):
        """Keep the trained model with the names of its classes."""
        arrays = {key: on_host(value) for key, value in model.state().items() if key[1] != "draws"}
        checkpoint.save(self.model, arrays, {"model": model.config(), "class_names": list(class_names)})

    def load_model(self):
        """(model, class names) of a finished run; CheckpointError when it is not finished."""
        if self.config.exists() and not self.model.exists():
            raise CheckpointError(f"{self.path}: the training is not finished; go on with --resume {self.path}")
        return stored_model(self.model, *checkpoint.load(self.model))

    @contextlib.contextmanager
    def training(self, ranks, command, fresh, names=("checkpoint.npz",)):
        """Context of a training in this folder, the only one; whatever ends it early, its user hears how to go on.

        `names` of its checkpoints, the later ones first.
        """
        going_on = saying_what_is_kept(self, [self.path / name for name in names], command)
        if not ranks.reports:
            with going_on:
                yield
            return
        with contextlib.ExitStack() as around:
            around.enter_context(only_one(self.path))
            if fresh and self.config.exists():  # somebody was faster
                raise CheckpointError(f"{self.path}: holds a run already; go on with --resume {self.path}")
            if ranks.size > 1:
                killed = "minitorch-cnn: a process was killed", f"; go on with: {command}", self.config
                around.enter_context(parallel.message_if_killed(*killed))
            around.enter_context(going_on)
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError):
                    self.path.rmdir()  # only where nothing is in it yet
                raise


def _unused(stem):
    """The first of `stem`, `stem`-2, `stem`-3, ... that is not there, made now: two runs may begin in one second."""
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
    """The settings themselves; ValueError where a value cannot be what was written."""
    for name, kind in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if kind in (int, float):
            number = isinstance(value, (int, kind)) and not isinstance(value, bool)
            good = number and (name in NEVER_ZERO) <= value < 2**63
        else:
            good = isinstance(value, kind) and len(value or "") <= LONGEST_PATH
        if not good:
            raise ValueError(f"{name}: {str(value)[:40]!r} is no setting")
    return settings
