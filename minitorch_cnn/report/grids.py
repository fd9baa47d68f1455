"""Draws small matrices as grids of cells, for the drawings of convolutions and pools."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.report.svg import Drawing, element, group, label
from minitorch_cnn.report.theme import colour

FONT = 13
Tints: TypeAlias = Mapping[tuple[int, int], tuple[str, float]]  # (row, column): (name of a colour, opacity 0 to 1)
Frame: TypeAlias = tuple[int, int, int, int, str]  # top, left, rows, columns, name of a colour


def draw_grid(
    values: np.ndarray,
    x: float,
    y: float,
    cell: float,
    *,
    tints: Tints | None = None,
    text: Callable[[Any], str] = str,
    title: str | None = None,
    frame: Frame | list[Frame] | None = None,
) -> Drawing:
    """Draws a matrix with one cell for each number.

    Arguments: `values` `(rows, columns)`; `x` and `y` of the upper left corner and the size of a `cell` in pixels;
    `tints` of cells; `text`, the function that formats a number; `title`, written above the matrix; `frame`, one or
    several rectangles of cells to outline.
    """
    values, tints, parts = np.asarray(values), tints or {}, []
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            left, top = float(x + cell * column), float(y + cell * row)
            box = {"x": left, "y": top, "width": float(cell), "height": float(cell)}
            if (row, column) in tints:
                hue, strength = tints[row, column]
                parts.append(element("rect", fill=colour(hue), fill_opacity=strength, **box))
            parts.append(element("rect", fill="none", stroke=colour("line"), stroke_width=1, **box))
            words = text(values[row, column])
            if words:
                size = FONT if 0.62 * FONT * len(words) < cell - 3 else 0.9 * (cell - 3) / (0.62 * len(words))
                centre, baseline = left + cell / 2, top + cell / 2 + 0.36 * size
                parts.append(label(words, centre, baseline, anchor="middle", size=round(size, 1), colour=colour("ink")))
    frames = [] if frame is None else frame if isinstance(frame, list) else [frame]
    for first_row, first_column, height, width, hue in frames:
        corner = {"x": float(x + cell * first_column), "y": float(y + cell * first_row)}
        extent = {"width": float(cell * width), "height": float(cell * height)}
        parts.append(element("rect", rx=3, fill="none", stroke=colour(hue), stroke_width=2.5, **corner, **extent))
    if title:
        parts.append(label(title, x, y - 9, size=14, weight=600, colour=colour("ink")))
    return group(*parts)


def figures(value: float, digits: int = 2) -> str:
    """A number in few characters, for example `-0.25` or `12`."""
    if abs(value) < 10.0**-digits / 2:
        return "0"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
