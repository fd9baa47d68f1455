"""A run folder: one training, from its settings to its report.

config.json      what was asked for, and the model; written first
checkpoint.npz   where the training is; replaced as it goes on
history.csv      one row an epoch
model.npz        the trained model, for `predict`
report.html      the page of the run
"""

import contextlib
import json
import shlex
import time
from dataclasses import MISSING, asdict, dataclass, replace
from pathlib import Path
from typing import get_type_hints

import numpy as np

from minitorch_cnn import checkpoint, parallel
from minitorch_cnn.backend import library, on_host
from minitorch_cnn.callbacks import Checkpoint, CSVLog
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.going_on import saying_what_is_kept
from minitorch_cnn.metrics import class_probabilities
from minitorch_cnn.printable import printable
from minitorch_cnn.recipes import RECIPES
from minitorch_cnn.regular_file import read_small
from minitorch_cnn.report.training_page import write_training_report
from minitorch_cnn.run_lock import only_one
from minitorch_cnn.stored_model import stored_model

CHECKPOINT_SECONDS = 20.0
NEVER_ZERO = ("batch_size", "size")
LARGEST_CONFIG = 1 << 24  # bytes; the 18 layers of VGG16 take five thousand


@dataclass
class Settings:
    """What a run was asked for; all a resumed run needs to know."""

    dataset: str
    data: str | None
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    backend: str = "numpy"


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
        with checkpoint.replacing(self.config) as file:
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
                around.enter_context(parallel.last_words(*killed))
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
            good = isinstance(value, kind)
        if not good:
            raise ValueError(f"{name}: {str(value)[:40]!r} is no setting")
    return settings


def with_all_skipped(dataset, ranks):
    """`dataset` with all damaged files that any rank has met: each looks at its share of the images alone."""
    met = [path for paths in ranks.gather(list(dataset.skipped)) for path in paths]
    return replace(dataset, skipped=list(dict.fromkeys(met)))


def command_line(ranks, command):
    """`command` as it is to be typed to run it on as many processes as now."""
    return f"mpiexec -n {ranks.size} {command}" if ranks.size > 1 else command


def start(settings, out=None, progress=True):
    """Begin a new training; returns the run folder when it is finished."""
    ranks = parallel.world()
    folder = ranks.from_first(lambda: RunFolder.fresh(settings.dataset, out))
    return _train(folder, settings, progress, ranks, fresh=True)


def resume(path, epochs=None, progress=True):
    """Go on with a training that was interrupted, to the bits it would have reached; returns the run folder.

    On as many processes as there are now: how many there were makes a difference only in how sums were rounded.
    """
    ranks = parallel.world()
    folder = RunFolder(path)
    settings = ranks.from_first(lambda: folder.read_settings(Settings))
    if settings.dataset not in RECIPES:
        raise CheckpointError(f"{folder.config}: expected one of {', '.join(RECIPES)}, got {settings.dataset[:40]!r}")
    if epochs is not None and epochs != settings.epochs:
        raise ArgumentError(
            f"--resume: this run goes over {settings.epochs} epochs and its learning rate with it; got {epochs}"
        )
    return _train(folder, settings, progress, ranks, fresh=False)


def _train(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn train --resume {shlex.quote(str(folder.path))}")
    with folder.training(ranks, command, fresh):
        return _train_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _train_inside(folder, settings, progress, ranks, fresh, command):
    recipe = RECIPES[settings.dataset]
    library(settings.backend)  # what is missing is said before anything is loaded
    ranks.choose_device(settings.backend)
    dataset = ranks.in_turn(lambda: recipe.load(settings.data, progress))
    say = print if progress else (lambda text: None)
    say(dataset)
    model = recipe.model(dataset, settings.seed).to(settings.backend)
    if fresh and ranks.reports:
        folder.write_config(settings, model)
        say(f"run folder: {folder.path}")
    resume_from = ranks.from_first(lambda: not fresh and checkpoint.exists(folder.checkpoint)) and folder.checkpoint
    if not fresh:
        say(
            f"going on from {folder.checkpoint}" if resume_from else f"{folder.path}: no checkpoint yet, starting again"
        )
    steps = settings.epochs * -(-len(dataset.train_images) // settings.batch_size)
    history = model.fit(
        dataset.train_images,
        dataset.train_labels,
        optimizer=recipe.optimizer(settings.learning_rate, steps),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation=(dataset.test_images, dataset.test_labels),
        augment=Augmentation(**recipe.augment),
        callbacks=[CSVLog(folder.history), Checkpoint(folder.checkpoint, CHECKPOINT_SECONDS, command)],
        progress=progress,
        resume=resume_from or None,
        ranks=ranks,
    )
    dataset = with_all_skipped(dataset, ranks)
    if not ranks.reports:
        return folder
    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images))
    write_training_report(folder.report, recipe, settings, model, dataset, history, probabilities)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    print(f"test accuracy {accuracy:.4f} on {len(dataset.test_labels):,} images")
    print(f"report: {folder.report}")
    return folder
