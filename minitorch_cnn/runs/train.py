"""`minitorch-cnn train`: start or resume a training in its run folder."""

import itertools
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import parallel
from minitorch_cnn.arrays import library
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import ArgumentError, CheckpointError, MissingPackage
from minitorch_cnn.files.printable import printable
from minitorch_cnn.models.fast_recipe import recipe_named
from minitorch_cnn.models.recipes import RECIPES, Recipe, of_folder
from minitorch_cnn.parallel.ranks import Alone
from minitorch_cnn.report.training_page import write_training_report
from minitorch_cnn.runs.filter_record import FilterRecord
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keeping import check_choices, chosen, keeping, notes, weights_of, write_predictions
from minitorch_cnn.runs.own_folder import run_name, survey, uneven
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.callbacks import Checkpoint, CSVLog
from minitorch_cnn.training.progress import say

CHECKPOINT_SECONDS = 20.0
OWN = "folder"  # the data set of a run on a folder of your own


@dataclass
class Settings:
    """The settings of a run, which are all that a resumed run needs."""

    dataset: str  # one of RECIPES, or OWN for a folder of your own images
    data: str | None
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    backend: str = "numpy"
    keep: str = "last"  # which epoch's weights are kept: of the last, or the best with the lowest validation loss
    class_weights: str | None = None  # "balanced": every class counts alike
    earlier: str = ""  # the numbers of epochs after which the training had ended before, for example "12,20"
    size: int = 0  # images of a folder are scaled to size x size
    flip: bool = False  # whether mirror images of a folder's images count as well
    color_mode: str = "rgb"  # of a folder's images; "grayscale" for a network with one input channel
    recipe: str = ""  # of those for the data set; "" is the usual one


def settings_for(dataset: str, **given: Any) -> Settings:
    """The settings for one of RECIPES: those that are `given`, and its own for the others.

    ArgumentError if the data set has no recipe of the given name.
    """
    recipe = recipe_named(dataset, given.get("recipe", ""))
    names = ("epochs", "batch_size", "learning_rate")
    return Settings(**{"data": None, "seed": 0, **{name: getattr(recipe, name) for name in names}, **given,
                       "dataset": dataset})  # fmt: skip


def settings_for_folder(folder: str, **given: Any) -> Settings:
    """The settings for a folder of your own images: those that are `given`, and what suits the folder for the others.

    Raises DataError unless it has a folder of images for each class.
    """
    found = survey("train", folder)
    recipe = of_folder(found.name, found.size, 0, True)
    batch_size = given.get("batch_size", found.batch_size)
    grey = given.get("color_mode", "grayscale" if found.grey else "rgb") == "grayscale"
    rate = recipe.learning_rate * min(1, batch_size / recipe.batch_size)
    defaults = {"epochs": recipe.epochs, "batch_size": batch_size, "learning_rate": rate, "seed": 0,
                "size": found.size, "keep": "best", "flip": not grey,
                "color_mode": "grayscale" if grey else "rgb"}  # fmt: skip
    return Settings(**{**defaults, **given, "dataset": OWN, "data": folder})


def recipe_for(settings: Settings) -> Recipe:
    """The recipe of RECIPES that the settings name, or that for their folder; CheckpointError if there is none."""
    if settings.dataset == OWN and settings.data is not None and settings.size > 0:
        name = printable(Path(os.path.expanduser(settings.data)).resolve().name)
        return of_folder(name, settings.size, settings.seed, settings.flip, settings.color_mode)
    if settings.dataset not in RECIPES:
        expected = ", ".join([*RECIPES, f"{OWN} with data and a size"])
        raise CheckpointError(f"expected one of {expected}, got {settings.dataset[:40]!r}")
    try:
        return recipe_named(settings.dataset, settings.recipe)
    except ArgumentError as error:
        raise CheckpointError(str(error)) from None


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
    named = "-".join(filter(None, [settings.dataset, settings.recipe]))
    name = named if settings.dataset in RECIPES else run_name(recipe_for(settings).title)
    folder = ranks.from_first(lambda: RunFolder.fresh(name, out))
    return _train(folder, settings, progress, ranks, fresh=True)


def resume(path: str | Path, epochs: int | None = None, progress: bool = True) -> RunFolder:
    """Continue an interrupted training to the same bits that it would have reached; returns the run folder.

    A finished run is trained further, up to so many `epochs` in all, with another cycle of the learning rate. The
    number of processes may differ from before; it changes only how sums are rounded.
    """
    ranks = parallel.world()
    folder = RunFolder(path)
    settings = ranks.from_first(lambda: _settings_of(folder, epochs))
    return _train(folder, settings, progress, ranks, fresh=False)


def _settings_of(folder, epochs):
    """The settings in a run folder, changed to `epochs` in all if they are not None."""
    settings = folder.read_settings(Settings)
    try:
        recipe_for(settings)
        check_choices(settings)
        ends_of_cycles(settings)
    except CheckpointError as error:
        raise CheckpointError(f"{folder.config}: {error}") from None
    if epochs is None or epochs == settings.epochs:
        return settings
    done = checkpoint.load_last(folder.checkpoint)[1].get("epoch") if checkpoint.exists(folder.checkpoint) else 0
    if done != settings.epochs:
        raise ArgumentError(
            f"--resume: expected {settings.epochs} epochs, for which the learning rate is planned, got {epochs};"
            " finish them first"
        )
    if epochs < settings.epochs:
        raise ArgumentError(f"--resume: expected more than the {settings.epochs} epochs of this run, got {epochs}")
    earlier = ",".join(filter(None, [settings.earlier, str(settings.epochs)]))
    return replace(settings, epochs=epochs, earlier=earlier)


def ends_of_cycles(settings: Settings) -> list[int]:
    """The numbers of epochs after which a cycle of the learning rate ends; CheckpointError if they are not rising."""
    words = [*filter(None, settings.earlier.split(",")), str(settings.epochs)]
    ends = [int(word) if word.isascii() and word.isdigit() else -1 for word in words]
    if any(later <= before for before, later in itertools.pairwise([0, *ends[:-1], ends[-1] or 1])):
        raise CheckpointError(f"earlier: expected rising numbers of epochs, got {settings.earlier[:40]!r}")
    return ends


def _train(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn train --resume {shlex.quote(str(folder.path))}")
    with folder.training(ranks, command, fresh):
        return _train_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _train_inside(folder, settings, progress, ranks, fresh, command):
    recipe = recipe_for(settings)
    library(settings.backend)  # raises an error before the data is loaded if the backend is missing
    ranks.choose_device(settings.backend)
    dataset = ranks.in_turn(lambda: recipe.load(settings.data, progress))
    tell = say if progress else (lambda text: None)
    tell(dataset)
    if not settings.class_weights and (line := uneven(dataset.train_labels, dataset.class_names)):
        tell(line)
    model = recipe.model(dataset, settings.seed).to(settings.backend)
    if ranks.reports and (fresh or folder.read_settings(Settings) != settings):
        folder.write_config(settings, model)
    if fresh:
        tell(f"run folder: {printable(folder.path)}")
    resume_from = ranks.from_first(lambda: not fresh and checkpoint.exists(folder.checkpoint)) and folder.checkpoint
    if not fresh:
        tell(
            f"continuing from {printable(folder.checkpoint)}"
            if resume_from
            else f"{printable(folder.path)}: no checkpoint yet, starting from the beginning"
        )
    steps = -(-len(dataset.train_images) // settings.batch_size)
    filters = FilterRecord()
    history = model.fit(
        dataset.train_images,
        dataset.train_labels,
        optimizer=recipe.optimizer(settings.learning_rate, *(end * steps for end in ends_of_cycles(settings))),
        loss=recipe.loss,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation=(dataset.test_images, dataset.test_labels),
        class_weight=weights_of(settings, dataset),
        augment=Augmentation(**recipe.augment),
        callbacks=[
            *keeping(settings, settings.epochs),
            CSVLog(folder.history),
            filters,
            Checkpoint(folder.checkpoint, CHECKPOINT_SECONDS, command),
        ],
        progress=progress,
        resume=resume_from or None,
        ranks=ranks,
    )
    dataset = gather_skipped(dataset, ranks)
    if not ranks.reports:
        return folder
    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images, average_over=recipe.average_over))
    write_predictions(folder.predictions, dataset, probabilities)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    say(f"test accuracy {accuracy:.4f} on {len(dataset.test_labels):,} images{chosen(settings, history)}")
    write_report(
        folder,
        command,
        lambda: write_training_report(
            folder.report,
            recipe,
            settings,
            model,
            dataset,
            history,
            probabilities,
            notes(settings, history),
            filters.kernels,
        ),
    )
    return folder
