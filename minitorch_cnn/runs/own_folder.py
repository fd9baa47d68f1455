"""A folder of your own images, looked at before training: how many classes and images, and how large they are."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minitorch_cnn.datasets.class_folders import existing_folder, labelled_parts
from minitorch_cnn.datasets.images import load_image, stored_size
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.models.recipes import SMALL

MOST_CLASSES = 1000  # as many as ImageNet has; the report has a row for each
SAMPLE = 64  # images whose size and colours are looked at
SMALL_SIZE, LARGE_SIZE = 32, 150  # pixels to which small and large images are scaled
UNEVEN = 3  # times as many images in the largest class as in the smallest
LARGEST_BATCH, SMALLEST_BATCH, STEPS = 64, 8, 20  # images in a batch, which leave about so many steps in an epoch


@dataclass
class Survey:
    """What a folder holds: `counts` {class name: files to train on, or to split}."""

    name: str
    counts: dict[str, int]
    size: int  # pixels that suit its images
    grey: bool  # whether those that were looked at have no colours

    @property
    def batch_size(self) -> int:
        """The images in a batch with which an epoch has about 20 steps, from 8 to 64."""
        images = sum(self.counts.values())
        return max(SMALLEST_BATCH, min(LARGEST_BATCH, 2 ** int(np.log2(max(1, images / STEPS)))))


def survey(command: str, folder: str | Path) -> Survey:
    """Look at a folder with an image folder for each class; no more than a few files are read.

    Raises DataError, which begins with the `command`, if there is no such folder, or if it has one class or over 1000.
    """
    folder = existing_folder(command, folder)
    train, _ = labelled_parts(command, folder, [])
    if len(train) > MOST_CLASSES:
        raise DataError(
            f"{command}: {folder}: expected at most {MOST_CLASSES:,} folders, one for each class, found {len(train):,}"
        )
    files = [path for paths in train.values() for path in paths]
    sides, colours = [], []
    for path in files[:: -(-len(files) // SAMPLE) or 1]:
        with contextlib.suppress(DataError):
            sides.append(min(stored_size(path)))
            pixels = load_image(path, SMALL_SIZE, SMALL_SIZE)
            colours.append(bool((pixels != pixels[..., :1]).any()))
    size = SMALL_SIZE if statistics.median(sides or [0]) <= SMALL else LARGE_SIZE
    counts = {name: len(paths) for name, paths in train.items()}
    name = printable(folder.resolve().name) or "images"
    return Survey(name, counts, size, grey=bool(colours) and not any(colours))


def class_weights(labels: np.ndarray, classes: int) -> dict[int, float]:
    """{class number: weight} with which every class counts alike: N / (classes * images of the class).

    `labels` (N,) are the class numbers of the training images.
    """
    counts = np.bincount(labels, minlength=classes)
    return {number: len(labels) / (classes * int(count)) for number, count in enumerate(counts) if count}


def uneven(labels: np.ndarray, names: Sequence[str]) -> str | None:
    """A line that says how uneven the classes of `labels` (N,) are; None if they are not."""
    counts = np.bincount(labels, minlength=len(names))
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEVEN * counts[least]:
        return None
    return (
        f"the classes are uneven: {counts[most]:,} training images of {names[most]}, {counts[least]:,} of"
        f" {names[least]}; with --class-weights balanced every class counts alike"
    )


def run_name(name: str) -> str:
    """`name` as part of the name of a run folder: letters, digits, and lines in place of everything else."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name[:40]).strip("-")
    return plain or "images"
