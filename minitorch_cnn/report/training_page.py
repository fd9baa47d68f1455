"""Collects what the page of a run shows from a finished run of `minitorch-cnn train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, on_host
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.engine.metrics import confusion_matrix
from minitorch_cnn.engine.passes import need_gradients
from minitorch_cnn.files.printable import word
from minitorch_cnn.models.recipes import RECIPES, Recipe
from minitorch_cnn.network.sequential import Sequential
from minitorch_cnn.report.run import History, LayerRow, Run, Sample
from minitorch_cnn.report.run_page import write_report

SAMPLES = 24  # wrong predictions, and half as many correct ones
BEHIND = 300  # small images behind the cells of the confusion matrix
MISTAKES_IN_CELL, RIGHT_IN_CELL = 12, 4


def write_training_report(
    path: Path,
    recipe: Recipe,
    settings: Any,
    model: Sequential,
    dataset: Dataset,
    history: History,
    probabilities: np.ndarray,
    notes: Sequence[str] = (),
    learned: Mapping[int, np.ndarray] | None = None,
) -> Path:
    """Writes the page of a training run to `path` and returns the path.

    Arguments: `probabilities` (N, classes) are the model's predictions for the test images; `notes` are sentences for
    its end; `learned` are the first layer's kernels by the number of epochs so far.
    """
    predicted = probabilities.argmax(axis=1)
    names = dataset.class_names
    accuracy = float(np.mean(predicted == dataset.test_labels))
    seconds = sum(history.get("seconds", []))
    run = Run(
        title=recipe.title,
        subtitle=str(dataset),
        commands=[
            *repeat(path, settings),
            ("Classify an image", f"minitorch-cnn predict {word(path.parent)} IMAGE"),
        ],
        facts=[
            ("test accuracy", f"{accuracy:.2%}"),
            ("test images", f"{len(predicted):,}"),
            ("epochs", str(settings.epochs)),
            ("training time", f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"),
            ("parameters", f"{sum(layer.count_parameters() for layer in model.layers):,}"),
            ("seed", str(settings.seed)),
        ],
        layers=layer_rows(model),
        input_shape=model.input_shape,
        history=history,
        class_names=list(names),
        confusion=confusion_matrix(dataset.test_labels, predicted, len(names)),
        samples=samples(dataset.test_images, dataset.test_labels, probabilities, names),
        behind=behind(dataset.test_images, dataset.test_labels, probabilities, names),
        filters=first_filters(model),
        learned=learned or {},
        skipped=[str(name) for name in dataset.skipped],
        notes=notes,
    )
    return write_report(run, path)


def repeat(path: Path, settings: Any) -> list[tuple[str, str]]:
    """The commands that repeat a run of `minitorch-cnn train`: the first, and one for each time it was continued."""
    own = settings.dataset not in RECIPES
    name = "" if settings.dataset == "digits" else settings.data if own else settings.dataset
    first, *later = [*filter(None, settings.earlier.split(",")), str(settings.epochs)]
    given = {
        "data": None if own else settings.data, "epochs": first, "batch-size": settings.batch_size,
        "learning-rate": repr(settings.learning_rate), "seed": settings.seed, "size": settings.size or None,
        "keep": settings.keep if own or settings.keep != "last" else None, "class-weights": settings.class_weights,
        "color-mode": settings.color_mode if own else None, "recipe": settings.recipe or None,
    }  # fmt: skip
    words = [word(name)] if name else []
    words += [f"--{option} {word(value)}" for option, value in given.items() if value is not None]
    words += ["--no-flip"] if own and not settings.flip else []
    again = word(f"{path.parent}-again")
    words += [f"--out {again}"] if later else []
    return [
        ("Repeat this run from the start", " ".join(["minitorch-cnn train", *words])),
        *(("Then train it further", f"minitorch-cnn train --resume {again} --epochs {epochs}") for epochs in later),
    ]


def layer_rows(model: Sequential) -> list[LayerRow]:
    """A row for every layer with its name, kind, shape and parameters, and whether it is trained or frozen.

    In a network with branches it is a row for each place of a layer; one that stands there again has no parameters of
    its own.
    """
    needed = need_gradients(model.nodes())
    visited = {node.layer for node in model.nodes() if node.output in needed}
    rows: list[LayerRow] = []
    seen = set()
    for node in model.nodes():
        layer = node.layer
        again = layer in seen
        seen.add(layer)
        state = "trained"
        if layer.parameters and not layer.trainable:
            state = "frozen, gradient passes" if layer in visited else "frozen"
        rows.append(
            LayerRow(
                layer.name,
                type(layer).__name__,
                layer.output_shape,
                0 if again else layer.count_parameters(),
                state,
                "again" if again else layer.describe(),
                tuple(number - model.inputs if number >= model.inputs else -1 - number for number in node.inputs),
            )
        )
    return rows


def samples(
    images: Array, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str], count: int = SAMPLES
) -> list[Sample]:
    """The `count` most confident wrong predictions and the first correct ones, half as many.

    Arguments: uint8 `images` (N, H, W, C), `labels` (N,), `probabilities` (N, classes) and the `names` of the classes.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = np.flatnonzero(predicted == labels)[: count // 2]
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return _samples(images, labels, probabilities, names, [*right, *wrong])


def behind(
    images: Array, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str], count: int = BEHIND
) -> list[Sample]:
    """Up to `count` images behind the cells of the confusion matrix; arguments as for `samples`.

    First comes the most confident image of each cell, then the second of each, and so on: up to 12 mistakes of a cell,
    and 4 correct predictions of a class. Among the cells, the largest come first.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    cells: dict[tuple[int, int], list[int]] = {}
    for i in np.argsort(-confidence, kind="stable").tolist():
        cells.setdefault((int(labels[i]), int(predicted[i])), []).append(i)
    ranked = [
        (rank, truth == answer, -len(found), i)
        for (truth, answer), found in cells.items()
        for rank, i in enumerate(found[: RIGHT_IN_CELL if truth == answer else MISTAKES_IN_CELL])
    ]
    return _samples(images, labels, probabilities, names, [i for *_, i in sorted(ranked)[:count]])


def _samples(images, labels, probabilities, names, chosen):
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    return [
        Sample(images[i], names[labels[i]], names[predicted[i]], float(confidence[i]), bool(predicted[i] == labels[i]))
        for i in chosen
    ]


def first_filters(model: Any) -> np.ndarray | None:
    """The kernel (KH, KW, C, K) of the first layer that has one, if it is a convolution of images, else None.

    C is 3 for images in colour and 1 for grey ones.
    """
    kernels = (layer.parameters["kernel"] for layer in model.layers if "kernel" in layer.parameter_shapes())
    kernel = next(kernels, None)
    return np.array(on_host(kernel)) if kernel is not None and kernel.ndim == 4 and kernel.shape[2] in (1, 3) else None
