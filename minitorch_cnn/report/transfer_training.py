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
from minitorch_cnn.datasets.preprocessing import Caffe
from minitorch_cnn.engine.metrics import confusion_matrix
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.report.run import HISTORY_KEYS, History, Sample
from minitorch_cnn.report.training_page import behind, first_filters, layer_rows, samples
from minitorch_cnn.report.transfer import Explanation, Phase, TransferRun
from minitorch_cnn.report.transfer_page import write_transfer_report
from minitorch_cnn.report.volumes import hue_of

EXPLAINED = 6  # photos with a heat map: the most confident correct and wrong predictions
LECTURE = ("the lecture", 0.94)
LARGEST_HISTORY = 1 << 22  # bytes; one epoch takes about a hundred


def write_transfer_training_report(
    path: Path,
    settings: Any,
    begun: Any,
    dataset: Dataset,
    histories: tuple[History, History],
    accuracies: tuple[float, float],
    probabilities: np.ndarray,
    base: Sequence[str],
    before: np.ndarray | None,
    notes: Sequence[str] = (),
) -> Path:
    """Writes the page of a fine-tuning run to `path` and returns the path.

    Arguments: `begun`, the network and what is known of its base (`runs/base.py`); `histories` of the two phases, the
    second empty if there was none, and the `accuracies` that they have reached; `probabilities` (N, classes) of the
    model for the test images; `base`, the names of the layers whose weights came from the file; `before`, the kernel of
    the first convolution in that file, None if it is not one of colours; `notes`, sentences for the end of the page.
    """
    model, (top, everything), cats = begun.model, histories, list(dataset.class_names) == ["cat", "dog"]
    rows = layer_rows(model)
    kept = sum(row.name in begun.kept for row in rows)
    frozen = dict.fromkeys(base, "frozen")
    detail = f"{begun.rule} {settings.top_rate:g}, features computed once"
    phases = [Phase("base frozen", top, frozen, accuracies[0], detail)]
    if settings.all_epochs:
        norms = sum(row.kind == "BatchNorm" for row in rows[:kept])
        extra = [", photos flipped"] * settings.flip + [", batch norms frozen"] * bool(norms)
        detail = f"{begun.rule} {settings.all_rate:g}{''.join(extra)}"
        phases.append(Phase("everything trained", everything, accuracy=accuracies[1], detail=detail))
    images, labels, names = dataset.test_images, dataset.test_labels, dataset.class_names
    predicted = probabilities.argmax(axis=1)
    scratch = read_history(settings.beside) if settings.beside else {}
    run = TransferRun(
        title=f"{'Cats vs Dogs' if cats else dataset.name} by transfer learning",
        subtitle=str(dataset),
        facts=[("photos", "x".join(map(str, model.input_shape[:2]))), ("seed", str(settings.seed))],
        base=begun.title,
        references=[LECTURE] if cats else [],
        input_shape=model.input_shape,
        kept=rows[:kept],
        tossed=begun.tossed,
        added=rows[kept:],
        phases=phases,
        scratch=scratch,
        scratch_name="the small ConvNet, from scratch",
        class_names=list(names),
        confusion=confusion_matrix(labels, predicted, len(names)),
        samples=samples(images, labels, probabilities, names),
        behind=behind(images, labels, probabilities, names),
        filters_before=before,
        filters_after=first_filters(model),
        bgr=isinstance(model.preprocessing, Caffe),
        explanations=explanations(model, images, labels, probabilities, names, last_map(model, begun.kept)),
        skipped=[str(name) for name in dataset.skipped],
        commands=commands(path, settings),
        notes=[*begun.notes, *notes],
    )
    return write_transfer_report(run, path)


def last_map(model: Any, kept: Sequence[str]) -> str | None:
    """The name of the last of the layers `kept` that makes a feature map and is no pool, as Grad-CAM needs it."""
    maps = [layer for layer in model.layers if layer.name in kept and len(layer.output_shape) == 3]
    return next((layer.name for layer in reversed(maps) if hue_of(type(layer).__name__) != "pool"), None)


def explanations(
    model: Any, images: Array, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str],
    layer: str | None = "block5_conv3",
) -> list[Explanation]:  # fmt: skip
    """Heat maps for the most confident correct predictions of each class and the most confident wrong ones.

    They are those of the feature map of `layer`; the list is empty if the model has no layer of that name.
    """
    if layer is None or layer not in [each.name for each in model.layers]:
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
    for i in [*right[: EXPLAINED - min(len(wrong), 2)], *wrong][:EXPLAINED]:
        image = images[i]
        answer = int(predicted[i])
        sample = Sample(image, names[labels[i]], names[answer], float(confidence[i]), bool(answer == labels[i]))
        found.append(Explanation(sample, grad_cam(model, image, layer, output=answer), names[answer]))
    return found


def commands(path: Path, settings: Any) -> list[tuple[str, str]]:
    """The commands that repeat the run and that classify a photo with its model."""
    given = {
        "base": None if settings.base == "vgg16" else settings.base,
        "preprocessing": settings.preprocessing,
        "weights": settings.weights,
        "data": settings.data,
        "size": settings.size or None,
        "top-epochs": settings.top_epochs,
        "all-epochs": settings.all_epochs,
        "batch-size": settings.batch_size,
        "top-rate": f"{settings.top_rate:g}",
        "all-rate": f"{settings.all_rate:g}",
        "seed": settings.seed,
        "keep": None if settings.keep == "best" else settings.keep,
        "class-weights": settings.class_weights,
    }
    options = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)
    options += "" if settings.flip else " --no-flip"
    return [
        ("Repeat this run from the start", f"minitorch-cnn fine-tune {options}"),
        ("Classify photos", f"minitorch-cnn predict {shlex.quote(str(path.parent))} PHOTO..."),
    ]


def read_history(folder: str | Path) -> dict[str, list[float]]:
    """The history of the run in `folder`, one list with a value per epoch under each name.

    Raises CheckpointError when the folder has no readable history.
    """
    path = Path(folder) / "history.csv"
    try:
        lines = csv.reader(io.StringIO(read_small(path, LARGEST_HISTORY).decode(), newline=""))
        header = next(lines, [])
        places = {name: header.index(name) for name in HISTORY_KEYS if name in header}
        history: dict[str, list[float]] = {name: [] for name in places}
        for line in lines:
            for name, place in places.items() if line else ():
                history[name].append(float(line[place]))
        return history if any(history.values()) else {}
    except IndexError:
        raise CheckpointError(f"{path}: expected the history of a finished run (a row is too short)") from None
    except (OSError, ValueError, TypeError, csv.Error) as error:
        reason = printable(getattr(error, "strerror", None) or error)[:100]
        raise CheckpointError(f"{path}: expected the history of a finished run ({reason})") from None
