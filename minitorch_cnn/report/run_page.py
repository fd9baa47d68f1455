"""Builds the page of a finished training run from the facts in a `Run`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.report.architecture import draw_architecture, drawn_states, shape_text
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.cell_images import cell_images
from minitorch_cnn.report.confusion import class_accuracy, draw_confusion, draw_mistakes
from minitorch_cnn.report.curves import draw_history, draw_schedule
from minitorch_cnn.report.film import film
from minitorch_cnn.report.graph_drawing import draw_graph, has_branches
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.pictures import draw_filters, picture_uri
from minitorch_cnn.report.run import Run, Sample
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.transfer import TransferRun

# More of these would make the page longer without teaching anything new.
MOST_SKIPPED = 20
MOST_SAMPLES = 24
# Up to this many classes, the matrix and the bars are side by side; for more, the bars are in three columns below it.
MOST_SIDE_BY_SIDE = 12


def write_report(run: Run, path: str | Path) -> Path:
    """Writes the page of a run as one self-contained HTML file and returns its path.

    Missing folders of `path`, for example `runs/cifar10/report.html`, are created and an older report is replaced.
    Raises CheckpointError when the file cannot be written, in which case an older report is unchanged, and ShapeError
    or ArgumentError when an array of the run is not an image or not a kernel.
    """
    return write_page(run_page(run), path)


def run_page(run: Run) -> str:
    """The page of a run as HTML."""
    return render(
        "run.html",
        live=True,
        run=run,
        facts=[(str(label), str(value)) for label, value in run.facts],
        network=network(run),
        curves=draw_history(run.history),
        schedule=draw_schedule(run.history),
        confusion=confusion(run),
        right=samples(run, correct=True),
        wrong=samples(run, correct=False),
        filters=filters(run),
        film=film(run.learned),
        skipped=skipped(run),
    )


def network(run: Run) -> dict[str, Any] | None:
    """The drawings, table rows and totals of the architecture, or None if the run has no layers."""
    if not run.layers:
        return None
    # Only an image that has the shape of the input: a stretched one would show what the network never saw.
    shown = next((sample.image for sample in run.samples if same_shape(sample.image, run.input_shape)), None)
    image = None if shown is None else picture_uri(shown)
    total = sum(layer.parameters for layer in run.layers)
    trained = sum(layer.parameters for layer in run.layers if layer.state == "trained")
    largest = max(run.layers, key=lambda layer: layer.parameters)
    if has_branches(run.layers):
        shapes: Sequence = run.input_shape or ()
        shapes = shapes if not shapes or isinstance(shapes[0], tuple) else [shapes]
        wide, narrow = (draw_graph(run.layers, shapes, width=width) for width in (880, 350))
    else:
        wide, narrow = (draw_architecture(run.layers, run.input_shape, width=w, image=image) for w in (880, 350))
    return {
        "wide": wide,
        "narrow": narrow,
        "rows": [
            (layer, shape_text(layer.output_shape), share(layer.parameters, total), state != "trained")
            for layer, state in zip(run.layers, drawn_states(run.layers))
        ],
        "total": total,
        "trained": trained,
        "frozen": total - trained,
        "largest": largest,
        "largest_share": share(largest.parameters, total),
        "gradient_passes": any(layer.state == "frozen, gradient passes" for layer in run.layers),
    }


def same_shape(image: np.ndarray, input_shape: Sequence[int] | None) -> bool:
    """Whether an image has as many rows and columns as the input of the network."""
    return bool(input_shape) and np.shape(image)[:2] == tuple(input_shape or ())[:2]


def share(part: float, whole: float) -> float:
    """The part as a fraction of the whole, or 0 if the whole is 0."""
    return part / whole if whole else 0.0


def confusion(run: Run | TransferRun) -> dict[str, Any] | None:
    """The matrix, the accuracy per class and the mistakes, or None if there is no matrix or it is all zeros."""
    if run.confusion is None or np.sum(run.confusion) == 0:
        return None
    matrix = np.asarray(run.confusion)
    rows = [
        (name, accuracy, f"{accuracy:.1%} of {images}" if images else "no images")
        for name, accuracy, images in zip(run.class_names, class_accuracy(matrix), matrix.sum(axis=1).tolist())
    ]
    # The class with the lowest accuracy comes first, because it needs attention; classes without images come last.
    rows.sort(key=lambda row: row[1] if math.isfinite(row[1]) else 2)
    large = len(rows) > MOST_SIDE_BY_SIDE
    length = -(-len(rows) // 3) if large else len(rows)
    pieces = [rows[start : start + length] for start in range(0, len(rows), length)]
    right, images = int(np.trace(matrix)), int(matrix.sum())
    return {
        "matrix": draw_confusion(matrix, run.class_names),
        "bars": [draw_bars(piece, description="Accuracy per class") for piece in pieces],
        "mistakes": draw_mistakes(matrix, run.class_names, 6),
        "right": right,
        "images": images,
        "accuracy": right / images,
        "large": large,
        "cells": cell_images(run.behind, matrix, run.class_names),
    }


def filters(run: Run) -> dict[str, Drawing] | None:
    """The filters of the first layer for a screen and for a phone, or None if the run has none."""
    if run.filters is None:
        return None
    return {"wide": draw_filters(run.filters, columns=16), "narrow": draw_filters(run.filters, columns=8)}


def samples(run: Run | TransferRun, *, correct: bool) -> dict[str, Any]:
    """The correct or the wrong predictions, the most confident first, and how many there are."""
    chosen = [sample for sample in run.samples if bool(sample.correct) == correct]
    chosen.sort(key=lambda sample: -certainty(sample))
    cards = [
        {
            "uri": Drawing(picture_uri(sample.image)),
            "pixelated": max(np.shape(sample.image)[:2]) <= 64,
            "truth": sample.truth,
            "prediction": sample.prediction,
            "percent": f"{100 * sample.probability:.1f}%",
            "bar": f"{100 * certainty(sample):.1f}%",
        }
        for sample in chosen[:MOST_SAMPLES]
    ]
    return {"cards": cards, "count": len(chosen)}


def certainty(sample: Sample) -> float:
    """The probability clipped to the range 0 to 1, or 0 if it is not finite."""
    return min(1.0, max(0.0, float(sample.probability))) if math.isfinite(sample.probability) else 0.0


def skipped(run: Run | TransferRun) -> dict[str, Any]:
    """The names of the first skipped files, how many there are, and how many are not named."""
    names = [str(name) for name in run.skipped]
    return {"names": names[:MOST_SKIPPED], "count": len(names), "more": max(0, len(names) - MOST_SKIPPED)}
