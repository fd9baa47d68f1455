"""What `train` and `fine-tune` share: which epoch is kept, what weight each class has, the table of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.image_folder import ImageFolder
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.runs.own_folder import class_weights
from minitorch_cnn.runs.predictions import write_table
from minitorch_cnn.training.callbacks import EarlyStopping

MONITOR = "val_loss"
CHOICES = ("best", "last")


def check_choices(settings: Any) -> None:
    """Raise CheckpointError if settings that were read from a file have no such values."""
    for name, known in (("keep", CHOICES), ("class_weights", (None, "balanced"))):
        if getattr(settings, name) not in known:
            expected = " or ".join("none" if each is None else each for each in known)
            raise CheckpointError(f"{name}: expected {expected}, got {getattr(settings, name)[:40]!r}")


def keeping(settings: Any, epochs: int) -> list[EarlyStopping]:
    """The callback that restores the weights of the best of `epochs` at the end; none if the last are kept."""
    return [EarlyStopping(MONITOR, patience=epochs + 1)] if settings.keep == "best" else []


def kept_epoch(settings: Any, history: Mapping[str, Sequence[float]]) -> int:
    """The number of the epoch whose weights were kept, counted from 0; -1 if there was none."""
    losses = history.get(MONITOR, ())
    return int(np.argmin(losses)) if settings.keep == "best" and len(losses) else len(losses) - 1


def chosen(settings: Any, history: Mapping[str, Sequence[float]]) -> str:
    """How the accuracy on the test images is to be read, if they have chosen the epoch."""
    if settings.keep != "best":
        return ""
    return f", after epoch {kept_epoch(settings, history) + 1}, which had the lowest loss on them"


def notes(settings: Any, history: Mapping[str, Sequence[float]]) -> list[str]:
    """Sentences for the report that say which epoch was kept and how classes were weighted, where that is not usual."""
    found = []
    if settings.keep == "best":
        found.append(
            f"The weights are those after epoch {kept_epoch(settings, history) + 1}, which had the lowest loss on the"
            " test images. As these images have chosen the epoch, the accuracy on new images may be a little lower."
        )
    if settings.class_weights:
        found.append("In the loss every class counts alike, however many training images it has.")
    return found


def weights_of(settings: Any, dataset: Dataset) -> dict[int, float] | None:
    """The weight of each class in the loss, or None if every image counts alike."""
    return class_weights(dataset.train_labels, len(dataset.class_names)) if settings.class_weights else None


def write_predictions(path: Path, dataset: Dataset, probabilities: np.ndarray) -> None:
    """Write a table to `path`, with a row for each test image that is a file: its class, and the predicted one.

    `probabilities` (N, classes) are the model's for the test images.
    """
    images, names = dataset.test_images, dataset.class_names
    if not isinstance(images, ImageFolder):
        return
    predicted = probabilities.argmax(axis=1)
    rows = [
        [printable(path), names[truth], names[answer], f"{row[answer]:.6f}"]
        for path, truth, answer, row in zip(images.paths, dataset.test_labels, predicted, probabilities)
    ]
    write_table(path, ["image", "class", "predicted", "probability"], rows)
