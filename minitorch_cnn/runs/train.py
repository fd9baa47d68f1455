"""`minitorch-cnn train`: start or resume a training in its run folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import parallel
from minitorch_cnn.arrays import library
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.files.printable import counted, printable, word
from minitorch_cnn.models.fast_recipe import recipe_named
from minitorch_cnn.models.recipes import RECIPES, Recipe, of_folder
from minitorch_cnn.report.training_page import write_training_report
from minitorch_cnn.runs.filter_record import FilterRecord
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keeping import check_choices, chosen, notes, write_predictions
from minitorch_cnn.runs.more_epochs import ends_of_cycles, with_more_epochs
from minitorch_cnn.runs.own_folder import run_name, survey
from minitorch_cnn.runs.resuming import Resumable, command_line, describe, gather_skipped, stored_settings, write_report
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.progress import say

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
    settings = stored_settings(folder, Settings, recipe_for, check_choices, ends_of_cycles)
    return with_more_epochs(settings, epochs, folder.checkpoint)


def _if_finished(folder, settings):
    """What follows the line that a run is continued, if there is nothing to continue."""
    over = checkpoint.load_last(folder.checkpoint)[1].get("epoch") == settings.epochs
    return f": nothing is left of {counted(settings.epochs, 'epoch')}; --epochs N trains further" if over else ""


def _train(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn train --resume {word(folder.path)}")
    with folder.training(ranks, command, fresh):
        return _train_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _train_inside(folder, settings, progress, ranks, fresh, command):
    recipe = recipe_for(settings)
    library(settings.backend)  # raises an error before the data is loaded if the backend is missing
    ranks.choose_device(settings.backend)
    dataset = ranks.in_turn(lambda: recipe.load(settings.data, progress))
    tell = say if progress else (lambda text: None)
    describe(dataset, settings, tell)
    about_losses = recipe.about_losses(len(dataset.class_names))
    for line in about_losses:
        tell(line)
    model = recipe.model(dataset, settings.seed).to(settings.backend)
    run = Resumable(folder, model, dataset, settings, ranks, command, progress, fresh)
    run.record_settings()
    if fresh:
        tell(f"run folder: {printable(folder.path)}")
    elif run.checkpoint_to_continue() is not None:
        tell(f"continuing from {printable(folder.checkpoint)}{_if_finished(folder, settings) if progress else ''}")
    else:
        tell(f"{printable(folder.path)}: no checkpoint yet, starting from the beginning")
    steps = -(-len(dataset.train_images) // settings.batch_size)
    filters = FilterRecord()
    history = run.fit(
        dataset.train_images,
        dataset.train_labels,
        optimizer=recipe.optimizer(settings.learning_rate, *(end * steps for end in ends_of_cycles(settings))),
        loss=recipe.loss,
        epochs=settings.epochs,
        augment=Augmentation(**recipe.augment),
        callbacks=[filters],
    )
    dataset = gather_skipped(dataset, ranks)
    if not ranks.reports:
        return folder
    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images, average_over=recipe.average_over))
    write_predictions(folder.predictions, dataset, probabilities)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    say(f"test accuracy {accuracy:.4f} on {counted(len(dataset.test_labels), 'image')}{chosen(settings, history)}")
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
            [*about_losses, *notes(settings, history)],
            filters.kernels,
        ),
    )
    return folder
