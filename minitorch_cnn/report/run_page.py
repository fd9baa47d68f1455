"""The page of a finished training run: from the facts in a `Run` to one HTML file."""

import math

import numpy as np

from minitorch_cnn.report.architecture import draw_architecture, drawn_states, shape_text
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.confusion import class_accuracy, draw_confusion, draw_mistakes
from minitorch_cnn.report.curves import draw_history, draw_schedule
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.pictures import draw_filters, picture_uri
from minitorch_cnn.report.svg import Drawing

# More of each would make the page long and teach nothing new.
MOST_SKIPPED = 20
MOST_SAMPLES = 24
# Up to here matrix, bars and mistakes fit side by side; more classes have three columns of bars below the matrix.
MOST_SIDE_BY_SIDE = 12


def write_report(run, path):
    """Write the page of a run as one HTML file that needs nothing but itself.

    Args:
        run: a `Run`.
        path: the file, as in `runs/cifar10/report.html`; missing folders are made, an older report is replaced.

    Returns:
        The path, as a `Path`.

    Raises:
        CheckpointError: the file cannot be written; an older report is then still whole.
        ShapeError, ArgumentError: an image or a kernel of the run is none.
    """
    return write_page(run_page(run), path)


def run_page(run):
    """The page of a `Run` as HTML."""
    return render(
        "run.html",
        run=run,
        facts=[(str(label), str(value)) for label, value in run.facts],
        network=network(run),
        curves=draw_history(run.history),
        schedule=draw_schedule(run.history),
        confusion=confusion(run),
        right=samples(run, correct=True),
        wrong=samples(run, correct=False),
        filters=filters(run),
        skipped=skipped(run),
    )


def network(run):
    """Drawings, table rows and totals of the architecture; None without layers."""
    if not run.layers:
        return None
    # Only a picture of the input's own shape: a stretched one would show what the network never saw.
    image = next((sample.image for sample in run.samples if same_shape(sample.image, run.input_shape)), None)
    image = None if image is None else picture_uri(image)
    total = sum(layer.parameters for layer in run.layers)
    trained = sum(layer.parameters for layer in run.layers if layer.state == "trained")
    largest = max(run.layers, key=lambda layer: layer.parameters)
    return {
        "wide": draw_architecture(run.layers, run.input_shape, width=880, image=image),
        "narrow": draw_architecture(run.layers, run.input_shape, width=350, image=image),
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


def same_shape(image, input_shape):
    """Whether an image has the rows and columns of the network's input."""
    return bool(input_shape) and np.shape(image)[:2] == tuple(input_shape)[:2]


def share(part, whole):
    """A part of a whole, 0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0


def confusion(run):
    """Matrix, accuracy per class and mistakes; None without a matrix or without an image in it."""
    if run.confusion is None or np.sum(run.confusion) == 0:
        return None
    matrix = np.asarray(run.confusion)
    rows = [
        (name, accuracy, f"{accuracy:.1%} of {images}" if images else "no images")
        for name, accuracy, images in zip(run.class_names, class_accuracy(matrix), matrix.sum(axis=1).tolist())
    ]
    # The weakest class first: it is the one to look at. NaN, a class without images, goes last.
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
    }


def filters(run):
    """The first layer's filters for a screen and for a phone; None without them."""
    if run.filters is None:
        return None
    return {"wide": draw_filters(run.filters, columns=16), "narrow": draw_filters(run.filters, columns=8)}


def samples(run, *, correct):
    """The right or the wrong predictions, the most confident first, and how many there were."""
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


def certainty(sample):
    """The probability as a length from 0 to 1, also when it is NaN."""
    return min(1.0, max(0.0, float(sample.probability))) if math.isfinite(sample.probability) else 0.0


def skipped(run):
    """The first names of the files that were no images, how many there are, and how many are not named."""
    names = [str(name) for name in run.skipped]
    return {"names": names[:MOST_SKIPPED], "count": len(names), "more": max(0, len(names) - MOST_SKIPPED)}
