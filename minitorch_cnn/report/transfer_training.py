"""Collects what the page of transfer learning shows from a finished run of `minitorch-cnn fine-tune`."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.engine.metrics import confusion_matrix
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.network.sequential import Sequential
from minitorch_cnn.report.run import HISTORY_KEYS, History, LayerRow, Sample
from minitorch_cnn.report.training_page import first_filters, layer_rows, samples
from minitorch_cnn.report.transfer import Explanation, Phase, TransferRun
from minitorch_cnn.report.transfer_page import write_transfer_report

EXPLAINED = 6  # photos with a heat map: the most confident correct and wrong predictions
LAST_MAP = "block5_conv3"  # the last convolution below the new top
LECTURE = ("the lecture", 0.94)
LARGEST_HISTORY = 1 << 24  # bytes; one epoch takes about a hundred

# The layers of VGG16 above block5_pool for images of 224x224 (Simonyan and Zisserman 2015).
TOSSED = [
    LayerRow("flatten", "Flatten", (25088,)),
    LayerRow("fc1", "Dense", (4096,), 25088 * 4096 + 4096, detail="4096, relu"),
    LayerRow("fc2", "Dense", (4096,), 4096 * 4096 + 4096, detail="4096, relu"),
    LayerRow("predictions", "Dense", (1000,), 4096 * 1000 + 1000, detail="1000, softmax"),
]


def write_transfer_training_report(
    path: Path,
    settings: Any,
    model: Sequential,
    dataset: Dataset,
    top: History,
    everything: History,
    probabilities: np.ndarray,
    base: Sequence[str],
    before: np.ndarray,
) -> Path:
    """Writes the page of a fine-tuning run to `path` and returns the path.

    Arguments: `top` and `everything`, the histories of the two phases; `probabilities` (N, classes) of the model for
    the test images; `base`, the names of the layers whose weights came from the file; `before`, the kernel of the
    first layer in that file.
    """
    rows = layer_rows(model)
    last = max(index for index, row in enumerate(rows) if row.name in base)
    kept = 1 + next(index for index in range(last, len(rows)) if rows[index].kind == "MaxPool2D")
    images, labels, names = dataset.test_images, dataset.test_labels, dataset.class_names
    predicted = probabilities.argmax(axis=1)
    scratch = read_history(settings.beside) if settings.beside else {}
    run = TransferRun(
        title="Cats vs Dogs by transfer learning",
        subtitle=str(dataset),
        facts=[("photos", f"{settings.size}x{settings.size}"), ("seed", str(settings.seed))],
        references=[LECTURE],
        input_shape=model.input_shape,
        kept=rows[:kept],
        tossed=TOSSED,
        added=rows[kept:],
        phases=[
            Phase(
                "base frozen",
                top,
                states=dict.fromkeys(base, "frozen"),
                detail=f"SGD {settings.top_rate:g}, features computed once",
            ),
            Phase("everything trained", everything, detail=f"SGD {settings.all_rate:g}, photos flipped"),
        ],
        scratch=scratch,
        scratch_name="the small ConvNet, from scratch",
        class_names=list(names),
        confusion=confusion_matrix(labels, predicted, len(names)),
        samples=samples(images, labels, probabilities, names),
        filters_before=before,
        filters_after=first_filters(model),
        bgr=True,
        explanations=explanations(model, images, labels, probabilities, names),
        skipped=[str(name) for name in dataset.skipped],
        commands=commands(path, settings),
        notes=[
            "VGG16's ImageNet weights: Visual Geometry Group, University of Oxford (Simonyan and Zisserman 2015),"
            " CC BY 4.0."
        ],
    )
    return write_transfer_report(run, path)


def explanations(
    model: Sequential, images: Array, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]
) -> list[Explanation]:
    """Heat maps for the most confident correct predictions of each class and the most confident wrong ones.

    The list is empty if the model has no layer `block5_conv3`.
    """
    if LAST_MAP not in [layer.name for layer in model.layers]:
        return []
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    surest = np.argsort(-confidence, kind="stable")
    wrong = [i for i in surest if predicted[i] != labels[i]][: EXPLAINED // 2]
    right = [
        i
        for number in range(len(names))
        for i in [j for j in surest if predicted[j] == labels[j] == number][: EXPLAINED // 4 + 1]
    ]
    found = []
    for i in [*right, *wrong][:EXPLAINED]:
        image = images[i]
        answer = int(predicted[i])
        sample = Sample(image, names[labels[i]], names[answer], float(confidence[i]), bool(answer == labels[i]))
        found.append(Explanation(sample, grad_cam(model, image, LAST_MAP, output=answer), names[answer]))
    return found


def commands(path: Path, settings: Any) -> list[tuple[str, str]]:
    """The commands that repeat the run and that classify a photo with its model."""
    given = {
        "weights": settings.weights,
        "data": settings.data,
        "size": settings.size,
        "top-epochs": settings.top_epochs,
        "all-epochs": settings.all_epochs,
        "batch-size": settings.batch_size,
        "top-rate": f"{settings.top_rate:g}",
        "all-rate": f"{settings.all_rate:g}",
        "seed": settings.seed,
    }
    options = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)
    return [
        ("Repeat this run from the start", f"minitorch-cnn fine-tune {options}"),
        ("Classify a photo as cat or dog", f"minitorch-cnn predict {shlex.quote(str(path.parent))} PHOTO"),
    ]


def read_history(folder: str | Path) -> dict[str, list[float]]:
    """The history of the run in `folder`, one list with a value per epoch under each name.

    Raises CheckpointError when the folder has no readable history.
    """
    path = Path(folder) / "history.csv"
    try:
        rows = list(csv.DictReader(io.StringIO(read_small(path, LARGEST_HISTORY).decode(), newline="")))
        return {name: [float(row[name]) for row in rows] for name in HISTORY_KEYS if rows and name in rows[0]}
    except (OSError, ValueError, TypeError, csv.Error) as error:
        reason = printable(getattr(error, "strerror", None) or error)[:100]
        raise CheckpointError(f"{path}: expected the history of a finished run ({reason})") from None
