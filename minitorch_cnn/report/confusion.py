"""The confusion matrix: a row per true class, a column per predicted class, the right ones on the diagonal.

Up to twenty classes it is a table that can be read number by number; beyond that a map in which patterns show.
"""

import math

import numpy as np

from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour

MOST_NUMBERS = 20
# The deepest tint of a cell: up to here the text colour of the page stays readable on it, light and dark.
DEEPEST = 60
LEVELS = 12


def class_accuracy(confusion):
    """The share of each class that was recognised, `(C,)`; NaN for a class without images."""
    confusion = np.asarray(confusion, dtype=float)
    totals = confusion.sum(axis=1)
    return np.divide(confusion.diagonal(), totals, out=np.full(len(totals), np.nan), where=totals > 0)


def most_confused(confusion, class_names, count=8):
    """The commonest mistakes as `(truth, prediction, how often, share of the true class)`, the commonest first."""
    confusion = np.asarray(confusion)
    mistakes = confusion * (1 - np.eye(len(confusion), dtype=confusion.dtype))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [divmod(int(place), len(confusion)) for place in order]
    return [
        (class_names[row], class_names[column], int(confusion[row, column]), float(shares[row, column]))
        for row, column in pairs
        if mistakes[row, column] > 0
    ]


def depth(share, on_diagonal):
    """How deep a cell is coloured, 0 to 1. Mistakes are rare and would all look white: their root spreads them out."""
    return float(share if on_diagonal else math.sqrt(share))


def draw_confusion(confusion, class_names):
    """The confusion matrix as a heat map.

    Args:
        confusion: `(C, C)` counts, rows true, columns predicted.
        class_names: C names.

    Returns:
        A `Drawing`: an HTML table with the counts up to 20 classes, an SVG without numbers above.
    """
    confusion = np.asarray(confusion)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    if len(class_names) <= MOST_NUMBERS:
        return draw_table(confusion, shares, class_names)
    return draw_map(confusion, shares, class_names)


def draw_table(confusion, shares, class_names):
    """Counts in cells that are tinted by their share of the row."""

    def cell(row, column):
        tint = round(DEEPEST * depth(shares[row, column], row == column))
        hue = colour("right" if row == column else "wrong")
        count = int(confusion[row, column])
        return element(
            "td",
            f"{count}",
            style=f"background:color-mix(in srgb,{hue} {tint}%,transparent)" if tint else None,
            class_=None if count else "zero",
            title=f"{count} × {class_names[row]}, predicted {class_names[column]}",
        )

    corner = element("th", element("span", "true ↓ predicted →"), class_="corner", scope="col")
    heads = [element("th", element("span", name), scope="col", class_="predicted") for name in class_names]
    rows = [
        element("tr", element("th", name, scope="row"), *(cell(row, column) for column in range(len(class_names))))
        for row, name in enumerate(class_names)
    ]
    return element(
        "table",
        element("caption", "Confusion matrix: rows are true classes, columns are predictions", class_="unseen"),
        element("thead", element("tr", corner, *heads)),
        element("tbody", *rows),
        class_="confusion",
        style=f"--classes:{len(class_names)}",
    )


def draw_map(confusion, shares, class_names):
    """Squares in place of numbers. All squares of one depth make one path, or a hundred classes would be a megabyte."""
    classes = len(class_names)
    named = classes <= 40
    step = 16.0 if named else 8.0
    left, top = (118.0 if named else 34.0), 24.0
    side = step * classes
    squares = {}
    for row, column in zip(*np.nonzero(confusion)):
        level = max(1, round(LEVELS * depth(shares[row, column], row == column)))
        corner = f"M{left + step * column:g} {top + step * row:g}h{step:g}v{step:g}h-{step:g}z"
        squares.setdefault(("right" if row == column else "wrong", level), []).append(corner)
    parts = [element("rect", x=left, y=top, width=side, height=side, fill=colour("panel"))]
    for (hue, level), corners in sorted(squares.items()):
        parts.append(element("path", d="".join(corners), fill=colour(hue), fill_opacity=level / LEVELS))
    parts.append(label("predicted →", left, top - 8, colour=colour("muted")))
    ticks = range(classes) if named else range(0, classes, 10)
    for tick in ticks:
        y = top + step * (tick + 0.5) + 4
        words = shorten(class_names[tick], 16) if named else str(tick)
        parts.append(label(words, left - 6, y, size=12, anchor="end", colour=colour("muted")))
        if not named:
            x = left + step * (tick + 0.5)
            parts.append(label(words, x, top + side + 14, size=12, anchor="middle", colour=colour("muted")))
            parts.append(path([(left - 4, y - 4), (left, y - 4)], stroke=colour("muted"), stroke_width=1))
    # No room for names: the pointer finds them.
    for row, name in enumerate(class_names):
        strip = {"x": 0, "y": top + step * row, "width": left + side, "height": step, "fill": "transparent"}
        parts.append(element("rect", element("title", f"{row}: {name}"), **strip))
    right = int(np.trace(confusion))
    description = f"Confusion matrix of {classes} classes: {right} of {int(confusion.sum())} images on the diagonal."
    return picture(left + side + 2, top + side + 20, group(*parts), description=description)


def draw_mistakes(confusion, class_names, count=8):
    """The commonest mistakes as an HTML table, or an empty `Drawing` when there are none."""
    mistakes = most_confused(confusion, class_names, count)
    if not mistakes:
        return Drawing("")
    rows = [
        element(
            "tr",
            element("th", truth, scope="row"),
            element("td", prediction),
            element("td", f"{how_often}"),
            element("td", f"{share:.1%}"),
        )
        for truth, prediction, how_often, share in mistakes
    ]
    heads = [element("th", words, scope="col") for words in ("true class", "taken for", "images", "of the class")]
    return element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="mistakes")
