"""Collects what the page of transfer learning shows from a finished run of `minitorch-cnn fine-tune`."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, on_host
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.preprocessing import Caffe
from minitorch_cnn.engine.metrics import confusion_matrix
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable, word
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.report.calibration import reliability
from minitorch_cnn.report.changed import changed
from minitorch_cnn.report.run import HISTORY_KEYS, History, Sample
from minitorch_cnn.report.training_page import behind, first_filters, layer_rows, samples
from minitorch_cnn.report.transfer import Explanation, Phase, TransferRun, Turned
from minitorch_cnn.report.transfer_page import write_transfer_report
from minitorch_cnn.report.volumes import hue_of

EXPLAINED = 6  # photos with a heat map: the most confident correct and wrong predictions
LECTURE = ("the lecture", 0.94)
LARGEST_HISTORY = 1 << 22  # bytes; one epoch takes about a hundred


@dataclass(frozen=True)
class Frozen:
    """The model after the first phase, and its probabilities (N, classes) for the test images."""

    model: Any
    probabilities: np.ndarray


def write_transfer_training_report(
    path: Path,
    settings: Any,
    begun: Any,
    dataset: Dataset,
    histories: tuple[History, History],
    accuracies: tuple[float, float],
    probabilities: np.ndarray,
    frozen: Frozen | None,
    base: Sequence[str],
    before: np.ndarray | None,
    notes: Sequence[str] = (),
) -> Path:
    """Writes the page of a fine-tuning run to `path` and returns the path.

    Arguments: `begun`, the network and what is known of its base (`runs/base.py`); `histories` of the two phases, the
    second empty if there was none, and the `accuracies` that they have reached; `probabilities` (N, classes) of the
    model for the test images, and `frozen` what the first phase left, if there was a second; `base`, the names of the
    layers whose weights came from the file; `before`, the kernel of the first convolution in that file, None if it is
    not one of colours; `notes`, sentences for the end of the page.
    """
    model, (top, everything), cats = begun.model, histories, list(dataset.class_names) == ["cat", "dog"]
    rows = layer_rows(model)
    kept = sum(row.name in begun.kept for row in rows)
    states = dict.fromkeys(base, "frozen")
    images, labels, names = dataset.test_images, dataset.test_labels, dataset.class_names
    bins = [reliability(each, labels) for each in (*([frozen.probabilities] if frozen else []), probabilities)]
    detail = f"Adam {settings.top_rate:g}, features computed once"
    phases = [Phase("base frozen", top, states, accuracies[0], detail, bins[0])]
    if frozen:
        phases.append(_second_phase(settings, rows[:kept], everything, accuracies[1], bins[1]))
    last = last_map(model, begun.kept)
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
        moved=moved(frozen.model, model, begun.kept) if frozen else (),
        explanations=explanations(model, images, labels, probabilities, names, last),
        changed=changed(labels, frozen.probabilities, probabilities) if frozen else None,
        turned=turned(model, frozen, images, labels, probabilities, names, last) if frozen else (),
        skipped=[str(name) for name in dataset.skipped],
        commands=commands(path, settings),
        notes=[*begun.notes, *notes],
    )
    return write_transfer_report(run, path)


def _second_phase(settings, base, history, accuracy, bins):
    """The facts of the second phase; `base` are the rows of the layers that were kept."""
    everything = settings.unfreeze == "all"
    how = ["photos mirrored, turned, zoomed and shifted" if settings.flip else "photos turned, zoomed and shifted"]
    how += [] if everything else [f"{settings.copies} copies of each, features computed once"]
    how += ["batch norms frozen"] * any(row.kind == "BatchNorm" for row in base)
    name = "everything trained" if everything else f"{settings.unfreeze} and above trained"
    return Phase(name, history, {}, accuracy, f"Adam {settings.all_rate:g}, {', '.join(how)}", bins)


def moved(before: Any, after: Any, names: Sequence[str]) -> list[tuple[str, float]]:
    """(layer, ||after - before|| / ||before||) for the kernels of the layers called `names` that learn in `after`."""
    learned = [layer for layer in after.layers if layer.name in names and layer.learns and "kernel" in layer.parameters]
    found = []
    for layer in learned:
        old, new = (on_host(each.get_layer(layer.name).parameters["kernel"]) for each in (before, after))
        found.append((layer.name, float(np.linalg.norm(new - old) / (np.linalg.norm(old) or 1.0))))
    return found


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
    chosen = [*right[: EXPLAINED - min(len(wrong), 2)], *wrong][:EXPLAINED]
    return [_explanation(model, images[i], int(labels[i]), probabilities[i], names, layer) for i in chosen]


def turned(
    model: Any, frozen: Frozen, images: Array, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str],
    layer: str | None,
) -> list[Turned]:  # fmt: skip
    """Photos that changed sides, at most half of them made wrong, each with the heat maps before and after."""
    if layer is None:
        return []
    sides = changed(labels, frozen.probabilities, probabilities)
    wrong = sides.made_wrong[: max(EXPLAINED // 2, EXPLAINED - len(sides.put_right))]
    pairs = ((frozen.model, frozen.probabilities), (model, probabilities))
    found = []
    for i in [*sides.put_right[: EXPLAINED - len(wrong)], *wrong]:
        image, truth = images[i], int(labels[i])
        found.append(Turned(*(_explanation(each, image, truth, answers[i], names, layer) for each, answers in pairs)))
    return found


def _explanation(model, image, truth, probabilities, names, layer):
    """The answer that a model gives with these probabilities (classes,), and where it saw that."""
    answer = int(probabilities.argmax())
    sample = Sample(image, names[truth], names[answer], float(probabilities[answer]), answer == truth)
    return Explanation(sample, grad_cam(model, image, layer, output=answer), names[answer])


def commands(path: Path, settings: Any) -> list[tuple[str, str]]:
    """The commands that repeat the run, with one for each time it was continued, and that classify a photo."""
    first, *later = [*filter(None, settings.earlier.split(",")), str(settings.all_epochs)]
    run, again = word(path.parent), word(f"{path.parent}-again")
    given = {
        "base": None if settings.base == "vgg16" else settings.base,
        "preprocessing": settings.preprocessing,
        "weights": settings.weights,
        "data": settings.data,
        "size": settings.size or None,
        "top-epochs": settings.top_epochs,
        "all-epochs": first,
        "batch-size": settings.batch_size,
        "top-rate": repr(settings.top_rate),
        "all-rate": repr(settings.all_rate),
        "seed": settings.seed,
        "keep": settings.keep,
        "class-weights": settings.class_weights,
        "unfreeze": settings.unfreeze,
        "copies": settings.copies if settings.unfreeze != "all" else None,
    }
    options = " ".join(f"--{name} {word(value)}" for name, value in given.items() if value is not None)
    options += ("" if settings.flip else " --no-flip") + (f" --out {again}" if later else "")
    return [
        ("Repeat this run from the start", f"minitorch-cnn fine-tune {options}"),
        *(("Then train it further", f"minitorch-cnn fine-tune --resume {again} --epochs {epochs}") for epochs in later),
        ("Classify photos", f"minitorch-cnn predict {run} PHOTO..."),
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
