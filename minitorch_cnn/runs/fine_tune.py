"""`minitorch-cnn fine-tune`, the lecture's recipe: replace a network's top, train the new top, then train everything.

    phase "top"   the base is frozen; its features are computed once, and the new layers learn from them
    phase "all"   the upper part of the base, or all of it, is unfrozen and trained at a low learning rate, on photos
                  that are mirrored, turned, zoomed and shifted

The base is VGG16, as in the lecture, or another network (`base.py`). Batch norms in it stay frozen in both phases. If a
lower part of it stays frozen in the second phase, that phase learns from a fixed number of copies of each photo, and
the features of these are computed once, too.

Each phase has its own checkpoint in the run folder, so `--resume` continues the phase that was interrupted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import datasets, parallel
from minitorch_cnn.arrays import library
from minitorch_cnn.datasets.cats_vs_dogs import is_cats_vs_dogs
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable, word
from minitorch_cnn.report.training_page import first_filters
from minitorch_cnn.report.transfer_training import Frozen, read_history, write_transfer_training_report
from minitorch_cnn.runs.base import check_base, check_lowest, recipe_of, start_of
from minitorch_cnn.runs.folder import RunFolder
from minitorch_cnn.runs.keeping import check_choices, notes, write_predictions
from minitorch_cnn.runs.more_epochs import ends_of_cycles, with_more_epochs
from minitorch_cnn.runs.own_folder import survey
from minitorch_cnn.runs.phases import History, Phases
from minitorch_cnn.runs.resuming import command_line, describe, gather_skipped, stored_settings, write_report
from minitorch_cnn.training.progress import say

__all__ = ["FineTuneSettings", "resume", "settings_for", "start"]


@dataclass
class FineTuneSettings:
    """The settings of a fine-tuning run, which are all that a resumed run needs; the defaults are those for VGG16."""

    weights: str | None
    data: str | None
    size: int = 224  # photos are scaled to size x size; 0: to what the file of the network says
    top_epochs: int = 4
    all_epochs: int = 1
    batch_size: int = 32
    top_rate: float = 1e-4
    all_rate: float = 1e-4
    seed: int = 0
    beside: str | None = None  # the run folder of a training from scratch, for the report
    backend: str = "numpy"
    base: str = "vgg16"  # a name in `base.NAMED`, or a file
    preprocessing: str | None = None  # of a file that does not say it
    keep: str = "last"  # which epoch's weights each phase keeps: the best has the lowest validation loss; or the last
    class_weights: str | None = None  # "balanced": every class counts alike
    flip: bool = True  # whether to train on mirror images too
    unfreeze: str = "block5_conv1"  # the lowest layer that learns in the second phase, or "all"
    copies: int = 4  # of each photo for the second phase, unless all layers learn
    mirrored: bool = True  # whether the first phase trains on mirror images too
    earlier: str = ""  # of a second phase that was continued: after how many epochs it had ended before, such as "1,3"


def settings_for(base: str, **given: Any) -> FineTuneSettings:
    """The settings for that base: those that are `given`, and its own defaults for the others.

    For cats and dogs it is known how many epochs are enough. With photos of the user's own, which may be few, each
    phase has more, and the validation photos choose the best of them.
    """
    data = given.get("data")
    own = data is not None and not is_cats_vs_dogs(data)
    recipe = recipe_of(base)
    names = ("size", "top_epochs", "all_epochs", "batch_size", "top_rate", "all_rate", "unfreeze", "copies", "mirrored")
    defaults = {name: getattr(recipe, name) for name in names}
    if own:
        defaults |= {"keep": "best", "top_epochs": recipe.own_top_epochs, "all_epochs": recipe.own_all_epochs}
    return FineTuneSettings(**{"weights": None, "data": None, "base": base, **defaults, **given})


def start(settings: FineTuneSettings, out: str | Path | None = None, progress: bool = True) -> RunFolder:
    """Fine-tune in a new run folder (`out`, or else runs/fine-tune-DATE-TIME); returns it when both phases are done."""
    ranks = parallel.world()
    check_base(settings)
    folder = ranks.from_first(lambda: RunFolder.fresh("fine-tune", out))
    return _run(folder, settings, progress, ranks, fresh=True)


def resume(path: str | Path, all_epochs: int | None = None, progress: bool = True) -> RunFolder:
    """Continue an interrupted fine-tuning run; returns the run folder.

    With `all_epochs` the second phase is continued up to so many epochs in all; if its learning rate falls, it must be
    finished.
    """
    ranks = parallel.world()
    folder = RunFolder(path)
    settings = ranks.from_first(lambda: _settings_of(folder, all_epochs))
    return _run(folder, settings, progress, ranks, fresh=False)


def _settings_of(folder, all_epochs):
    """The settings in a run folder, with more epochs of the second phase if `all_epochs` is not None."""
    settings = stored_settings(folder, FineTuneSettings, check_choices, _ends_of_cycles)
    planned = recipe_of(settings.base).falls
    return with_more_epochs(settings, all_epochs, folder.path / "checkpoint-all.npz", "all_epochs", planned)


def _ends_of_cycles(settings):
    return ends_of_cycles(settings, "all_epochs")


def own_classes(settings: FineTuneSettings) -> int | None:
    """The number of classes in a folder of the user's own; None if the photos are cats and dogs.

    Raises DataError if there is no such folder, or if it has fewer than two classes or too many.
    """
    if settings.data is None or is_cats_vs_dogs(settings.data):
        return None
    return len(survey("fine-tune", settings.data).counts)


def load_photos(
    settings: FineTuneSettings, own: int | None, shape: tuple[int, int, int], progress: bool
) -> datasets.Dataset:
    """The photos as a Dataset of images of `shape` (H, W, 3): cats and dogs, or a folder with `own` classes."""
    if own:
        return datasets.image_folder(settings.data or "", *shape[:2], seed=settings.seed)
    return datasets.cats_vs_dogs(settings.data, *shape[:2], progress=progress)


def _run(folder, settings, progress, ranks, fresh):
    command = command_line(ranks, f"minitorch-cnn fine-tune --resume {word(folder.path)}")
    names = [f"checkpoint-{phase}.npz" for phase in ("all", "top")]
    with folder.training(ranks, command, fresh, names):
        return _run_inside(folder, settings, progress and ranks.reports, ranks, fresh, command)


def _run_inside(folder, settings, progress, ranks, fresh, command):
    tell = say if progress else (lambda text: None)
    library(settings.backend)  # raises an error before the data is loaded if the backend is missing
    ranks.choose_device(settings.backend)

    if settings.beside is not None:
        read_history(settings.beside)  # raises an error now, not after the training, if the run is missing
    own = ranks.from_first(lambda: own_classes(settings))
    begun = start_of(settings, own or 2)
    check_lowest(begun, settings.unfreeze)
    model = begun.model.to(settings.backend)
    dataset = ranks.in_turn(lambda: load_photos(settings, own, model.input_shape, progress))
    describe(dataset, settings, tell)
    phases = Phases(folder, model, dataset, settings, ranks, command, progress, fresh)
    phases.record_settings()
    tell(f"run folder: {printable(folder.path)}")
    base = [layer.name for layer in model.layers if layer.parameters and not layer.trainable]
    from_file = {name: mark for name, mark in model.fingerprints().items() if name in base}
    filters_before = first_filters(model)

    tell(f"\nphase 1: {', '.join(name for name in model.fingerprints() if name not in base)} learn; the base is frozen")

    top = phases.top()
    unchanged = {name: mark for name, mark in model.fingerprints().items() if name in base} == from_file
    if not unchanged:
        raise CheckpointError(
            f"{folder.path}: the frozen base differs from the one in {begun.source}; was the file replaced?"
        )
    top_accuracy = phases.kept_accuracy(top)
    same = f"all {len(base)} base layers still equal the file's, bit for bit"
    tell(f"base frozen: validation accuracy {top_accuracy:.4f}; {same}")

    everything: History = {}
    frozen = None
    if settings.all_epochs:
        if ranks.reports:
            frozen = Frozen(model.copy(), class_probabilities(model.predict(dataset.test_images)))
        tell(f"\nphase 2: {phases.unfreeze()}, at a low learning rate")
        everything = phases.all()
    dataset = gather_skipped(dataset, ranks)
    if not ranks.reports:
        return folder

    folder.save_model(model, dataset.class_names)
    probabilities = class_probabilities(model.predict(dataset.test_images, batch_size=settings.batch_size))
    accuracy = float(np.mean(probabilities.argmax(axis=1) == dataset.test_labels))
    write_predictions(folder.predictions, dataset, probabilities)
    if frozen:
        write_predictions(folder.path / "predictions-top.csv", dataset, frozen.probabilities)
    after = f", {accuracy:.4f} after fine-tuning" if settings.all_epochs else ""
    say(f"validation accuracy {top_accuracy:.4f} with the base frozen{after}")
    write_report(
        folder,
        command,
        lambda: write_transfer_training_report(
            folder.report,
            settings,
            begun,
            dataset,
            (top, everything),
            (top_accuracy, accuracy),
            probabilities,
            frozen,
            base,
            filters_before,
            notes(settings, everything or top),
        ),
    )
    return folder
