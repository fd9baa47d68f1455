"""The confusion matrix: one row per true class, one column per predicted class, correct predictions on the diagonal.

Up to twenty classes it is a table of numbers; beyond that it is a map in which patterns are visible.
"""

import math
from collections.abc import Sequence

import numpy as np

from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour

MOST_NUMBERS = 20
# The strongest tint of a cell in percent, chosen so that the text on it stays readable in both themes.
DEEPEST = 60
LEVELS = 12


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """The share of each class that was recognised, `(C,)`; NaN for a class without images."""
    confusion = np.asarray(confusion, dtype=float)
    totals = confusion.sum(axis=1)
    return np.divide(confusion.diagonal(), totals, out=np.full(len(totals), np.nan), where=totals > 0)


def most_confused(
    confusion: np.ndarray, class_names: Sequence[str], count: int = 8
) -> list[tuple[str, str, int, float]]:
    """The most common mistakes as `(truth, prediction, how often, share of the true class)`, sorted."""
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


def depth(share: float, on_diagonal: bool) -> float:
    """How strongly a cell is coloured, 0 to 1.

    Mistakes are rare and would all look white, so for them this is the square root of the share.
    """
    return float(share if on_diagonal else math.sqrt(share))


def draw_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> Drawing:
    """Draws the confusion matrix as a heat map.

    Arguments: `confusion`, `(C, C)` counts with true classes as rows and predicted classes as columns; C `class_names`.
    Returns an HTML table with the counts for up to 20 classes, an SVG without numbers for more.
    """
    confusion = np.asarray(confusion)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    if len(class_names) <= MOST_NUMBERS:
        return draw_table(confusion, shares, class_names)
    return draw_map(confusion, shares, class_names)


def draw_table(confusion: np.ndarray, shares: np.ndarray, class_names: Sequence[str]) -> Drawing:
    """Draws the counts `(C, C)` as an HTML table whose cells are tinted by their share of the row."""

    def cell(row: int, column: int) -> Drawing:
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


def draw_map(confusion: np.ndarray, shares: np.ndarray, class_names: Sequence[str]) -> Drawing:
    """Draws the counts `(C, C)` as coloured squares.

    All squares of the same colour form one path; otherwise a hundred classes would need a megabyte of SVG.
    """
    classes = len(class_names)
    named = classes <= 40
    step = 16.0 if named else 8.0
    left, top = (118.0 if named else 34.0), 24.0
    side = step * classes
    squares: dict[tuple[str, int], list[str]] = {}
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
    # Names may not fit, so each row also has a tooltip.
    for row, name in enumerate(class_names):
        strip = {"x": 0, "y": top + step * row, "width": left + side, "height": step, "fill": "transparent"}
        parts.append(element("rect", element("title", f"{row}: {name}"), **strip))
    right = int(np.trace(confusion))
    description = f"Confusion matrix of {classes} classes: {right} of {int(confusion.sum())} images on the diagonal."
    places = f"{left:g} {top:g} {step:g} {classes}"  # for the script of a page
    return picture(left + side + 2, top + side + 20, group(*parts), description=description, data_map=places)


def draw_mistakes(confusion: np.ndarray, class_names: Sequence[str], count: int = 8) -> Drawing:
    """Draws the most common mistakes as an HTML table, or returns an empty `Drawing` when there are none."""
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
    heads = [element("th", words, scope="col") for words in ("true class", "predicted", "images", "of the class")]
    return element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="mistakes")
