"""Small matrices as grids of cells: the stuff that drawings of convolutions are made of."""

import numpy as np

from minitorch_cnn.report.svg import element, group, label
from minitorch_cnn.report.theme import colour

FONT = 13


def draw_grid(values, x, y, cell, *, tints=None, text=str, title=None, frame=None):
    """A matrix with a cell for each number.

    Args:
        values: `(rows, columns)`.
        x, y: the upper left corner, in pixels; a title stands above it.
        cell: the width and height of a cell.
        tints: `{(row, column): (name of a colour, how strong from 0 to 1)}`.
        text: how a number is written.
        title: what stands above.
        frame: `(top, left, rows, columns, name of a colour)`, or a list of them, to outline.
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
                middle = {"anchor": "middle", "size": round(size, 1), "colour": colour("ink")}
                parts.append(label(words, left + cell / 2, top + cell / 2 + 0.36 * size, **middle))
    frames = [] if frame is None else frame if isinstance(frame, list) else [frame]
    for top, left, height, width, hue in frames:
        box = {"x": float(x + cell * left), "y": float(y + cell * top), "rx": 3, "fill": "none", "stroke": colour(hue)}
        parts.append(element("rect", width=float(cell * width), height=float(cell * height), stroke_width=2.5, **box))
    if title:
        parts.append(label(title, x, y - 9, size=14, weight=600, colour=colour("ink")))
    return group(*parts)


def figures(value, digits=2):
    """A number in few characters, as in `-0.25`, `12`."""
    if abs(value) < 10.0**-digits / 2:
        return "0"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
