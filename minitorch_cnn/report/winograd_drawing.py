"""Draws one tile of Winograd's F(4x4, 3x3): the transformed patch and kernel, their product, the sixteen outputs."""

import numpy as np
from numpy.typing import ArrayLike

from minitorch_cnn.engine.convolution.winograd import AT, BT, PATCH, TILE, G, sandwich
from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import Drawing, label, picture
from minitorch_cnn.report.theme import colour

CELL, TOP = 34, 30
STACKED = (0, 3, 1, 4, 5, 2)  # the order from top to bottom in a narrow drawing: d V g U M y


def draw_winograd_tile(patch: ArrayLike, kernel: ArrayLike, *, width: float = 760) -> Drawing:
    """Draws the steps of one tile with all their numbers: d and V, g and U, M and y.

    Arguments: `patch` `(6, 6)`, the pixels that sixteen outputs depend on; `kernel` `(3, 3)`; `width` in pixels, where
    below 500 the matrices are drawn one below the other. Raises ShapeError for any other shape.
    """
    d, g = np.asarray(patch, float), np.asarray(kernel, float)
    if d.shape != (PATCH, PATCH) or g.shape != (3, 3):
        raise ShapeError(f"winograd tile: expected a patch (6, 6) and a kernel (3, 3), got {d.shape} and {g.shape}")
    V, U = sandwich(BT, d), sandwich(G, g)
    M = V * U
    y = sandwich(AT, M)
    grids = (
        (d, "d: the patch", "conv"),
        (g, "g: the kernel", "dense"),
        (y, "y = Aᵀ M A: 16 outputs", "right"),
        (V, "V = Bᵀ d B", "conv"),
        (U, "U = G g Gᵀ", "dense"),
        (M, "M = V · U: 36 products", "pool"),
    )
    parts, step = [], CELL * PATCH + 40
    for index, (array, title, hue) in enumerate(grids):
        below = STACKED.index(index)  # in a narrow drawing, every result is below what it is computed from
        x, level = (index % 3 * step, TOP + index // 3 * (step + 4)) if width >= 500 else (0, TOP + below * (step + 4))
        strength = np.abs(array) / max(np.abs(array).max(), 1e-12)
        tints = {place: (hue, float(0.05 + 0.4 * strength[place])) for place in np.ndindex(array.shape)}
        parts.append(draw_grid(array, x, level, CELL, tints=tints, text=figures, title=title))
    bottom = TOP + (2 if width >= 500 else 6) * (step + 4)
    saved = f"{PATCH**2} multiplications instead of {TILE**2} × 9 = {9 * TILE**2}"
    parts.append(label(saved, 0, bottom - 4, size=14, colour=colour("muted")))
    rows = "; ".join(" ".join(figures(value) for value in row) for row in y)
    words = f"One tile of Winograd's convolution: {saved}. The outputs, row by row: {rows}."
    return picture(max(width, 3 * step - 40 if width >= 500 else CELL * PATCH), bottom + 6, *parts, description=words)
