"""`minitorch-cnn train`: start or resume a training in its run folder."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minitorch_cnn import parallel
from minitorch_cnn.arrays import library
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import ArgumentError, CheckpointError, MissingPackage
from minitorch_cnn.files.printable import printable
from minitorch_cnn.models.recipes import RECIPES
from minitorch_cnn.parallel.ranks import Alone
from minitorch_cnn.report.training_page import write_training_report
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callbacks import Checkpoint, CSVLog
from minitorch_cnn.training.progress import say

CHECKPOINT_SECONDS = 20.0


@dataclass
class Settings:
    """The settings of a run, which are all that a resumed run needs."""

    dataset: str
    data: str | None
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    backend: str = "numpy"


def gather_skipped(dataset: Dataset, ranks: Alone) -> Dataset:
    """`dataset` with the damaged files that any rank has found; each rank reads only its share of the images."""
    found = [path for paths in ranks.gather(list(dataset.skipped)) for path in paths]
    return replace(dataset, skipped=list(dict.fromkeys(found)))


def command_line(ranks: Alone, command: str) -> str:
    """`command` as the user types it to run it on as many processes as now."""
    return f"mpiexec -n {ranks.size} {command}" if ranks.size > 1 else command


def write_report(folder: RunFolder, command: str, write: Callable[[], object]) -> None:
    """Call `write` and print where the report is, or which package is missing; the run itself is saved by then.

    `command` continues the run; for a finished run it only writes the report.
    """
    try:
        write()
    except MissingPackage as error:
        say(f"{printable(folder.report)} was not written: {printable(error)}; then: {printable(command)}", sys.stderr)
    else:
        say(f"report: {printable(folder.report)}")


def start(settings: Settings, out: str | Path | None = None, progress: bool = True) -> RunFolder:
    """Train in a new run folder (`out`, or else runs/NAME-DATE-TIME); returns the folder when training is finished."""
    ranks = parallel.world()
    folder = ranks.from_first(lambda: RunFolder.fresh(settings.dataset, out))
    return _train(folder, settings, progress, ranks, fresh=True)


def resume(path: str | Path, epochs: int | None = None, progress: bool = True) -> RunFolder:
    """Continue an interrupted training to the same bits that it would have reached; returns the run folder.

    The number of processes may differ from before; it changes only how sums are rounded.
    """
    ranks = parallel.world()
    folder = RunFolder(path)
    settings = ranks.from_first(lambda: folder.read_settings(Settings))
    if settings.dataset not in RECIPES:
        raise CheckpointError(f"{folder.config}: expected one of {', '.join(RECIPES)}, got {settings.dataset[:40]!r}")
    if epochs is not None and epochs != settings.epochs:
        raise ArgumentError(
            f"--resume: expected {settings.epochs} epochs, for which the learning rate is planned; got {epochs}"
        )
    return _train(folder, settings, progress, ranks, fresh=False)


def _train(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn train --resume {shlex.quote(str(folder.path))}")
    with folder.training(ranks, command, fresh):
        return _train_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _train_inside(folder, settings, progress, ranks, fresh, command):
    recipe = RECIPES[settings.dataset]
    library(settings.backend)  # raises an error before the data is loaded if the backend is missing
    ranks.choose_device(settings.backend)
    dataset = ranks.in_turn(lambda: recipe.load(settings.data, progress))
    tell = say if progress else (lambda text: None)
    tell(dataset)
    model = recipe.model(dataset, settings.seed).to(settings.backend)
    if fresh and ranks.reports:
        folder.write_config(settings, model)
        tell(f"run folder: {printable(folder.path)}")
    resume_from = ranks.from_first(lambda: not fresh and checkpoint.exists(folder.checkpoint)) and folder.checkpoint
    if not fresh:
        tell(
            f"continuing from {printable(folder.checkpoint)}"
            if resume_from
            else f"{printable(folder.path)}: no checkpoint yet, starting from the beginning"
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
    dataset = gather_skipped(dataset, ranks)
    if not ranks.reports:
        return folder
    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images))
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    say(f"test accuracy {accuracy:.4f} on {len(dataset.test_labels):,} images")
    write_report(
        folder,
        command,
        lambda: write_training_report(folder.report, recipe, settings, model, dataset, history, probabilities),
    )
    return folder
