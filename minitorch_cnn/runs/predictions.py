"""Predictions for image files and whole folders of them: a file that cannot be read does not stop the others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.datasets import load_image
from minitorch_cnn.datasets.class_folders import existing_folder, files_below
from minitorch_cnn.datasets.image_folder import WORKERS
from minitorch_cnn.datasets.images import is_folder
from minitorch_cnn.engine.metrics import class_probabilities
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.outputs import IMAGES
from minitorch_cnn.files.printable import counted, printable
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.network.cost import images_at_once
from minitorch_cnn.runs.answers import gives_probabilities
from minitorch_cnn.runs.input_images import image_shape

MOST_AT_ONCE = 128  # images in a batch


def image_files(names: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """(files, lines about what was left out): the files that are named, and of each folder the image files in it.

    Folders inside a folder are searched too. What counts there is the ending of a file's name. Raises DataError if a
    folder has no image files.
    """
    files: list[Path] = []
    lines: list[str] = []
    for name in names:
        if not is_folder(Path(name)):
            files.append(Path(name))
            continue
        folder = existing_folder("predict", name)
        found = files_below(folder, folder, lines)
        images = [path for path in found if path.name.lower().endswith(IMAGES)]
        if not images:
            raise DataError(f"{folder}: expected image files, found none among {counted(len(found), 'file')}")
        if others := len(found) - len(images):
            lines.append(f"{printable(folder)}: left out, as their names do not end like those of images: {others:,}")
        files += images
    return files, lines


def predict_files(
    name: str | Path, model: Any, files: Sequence[Path], flips: bool = False
) -> Iterator[tuple[Path, np.ndarray | DataError]]:
    """For each of `files` its path and the model's answer (classes,), or the DataError that says what is wrong with it.

    With `flips` an answer is the mean of those for the image and for its mirror image. Raises ArgumentError, which
    begins with `name`, if the input of the model is not an image.
    """
    height, width, channels = image_shape(name, model)
    at_once = min(MOST_AT_ONCE, max(1, images_at_once(model)))

    def read(path):
        try:
            return load_image(path, height, width, "grayscale" if channels == 1 else "rgb")
        except DataError as error:
            return error

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="images") as pool:
        for start in range(0, len(files), at_once):
            some = files[start : start + at_once]
            images = list(pool.map(read, some))
            good = [image for image in images if not isinstance(image, DataError)]
            answers = iter(_answers(model, np.stack(good), at_once, flips) if good else ())
            for path, image in zip(some, images):
                yield path, image if isinstance(image, DataError) else next(answers)


def _answers(model, images, at_once, flips):
    answers = model.predict(images, batch_size=at_once, average_over=["flip"] if flips else [])
    return class_probabilities(answers) if gives_probabilities(model) else answers


def best(answer: np.ndarray, names: Sequence[str], top: int) -> list[tuple[str, float]]:
    """The `top` classes of an `answer` (classes,), the best first, each with its number."""
    return [(names[number], float(answer[number])) for number in np.argsort(-answer, kind="stable")[:top]]


def write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file, all or nothing; CheckpointError if it cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
