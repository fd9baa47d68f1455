"""Draws a max pool, forward and backward, with numbers computed by the engine: each window's maximum gets its dy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import Drawing, label, picture
from minitorch_cnn.report.theme import colour

CELL, TOP, GAP = 38, 30, 58
HUES = ("conv", "pool", "dense", "right")


def draw_max_pool(
    x: ArrayLike,
    dy: ArrayLike | None = None,
    window: tuple[int, int] = (2, 2),
    strides: Sequence[int] | None = None,
    *,
    width: float = 640,
) -> Drawing:
    """Draws x with the maximum of each window marked, and y; below them dy and dx, where the maxima receive dy.

    Arguments: `x` `(H, W)`; `dy` `(OH, OW)`, by default ones; `window` and `strides` of the pool, where the strides
    default to the window; `width` in pixels, where below 500 the four matrices are drawn one below the other.
    """
    strides = tuple(window) if strides is None else tuple(strides)
    x = np.asarray(x, float)[None, :, :, None]
    y, winner = max_pool.definition(x, tuple(window), strides, NO_PADDING)
    dy = np.ones(y.shape) if dy is None else np.asarray(dy, float)[None, :, :, None]
    dx = max_pool_backward.definition(dy, winner, x.shape, tuple(window), strides, NO_PADDING)
    x, y, winner, dy, dx = (array[0, :, :, 0] for array in (x, y, winner, dy, dx))
    hues, tints, frames = {}, {}, []
    wins: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for i, j in np.ndindex(y.shape):
        hue = hues[i, j] = HUES[(i * y.shape[1] + j) % len(HUES)]
        p, q = divmod(int(winner[i, j]), window[1])
        spot = (i * strides[0] + p, j * strides[1] + q)
        wins.setdefault(spot, []).append((i, j))
        tints[spot] = (hue, 0.45)
        if strides == tuple(window):
            frames.append((i * strides[0], j * strides[1], *window, hue))
    small = {place: (hue, 0.45) for place, hue in hues.items()}
    wide = width >= 500
    right, lower = max(CELL * x.shape[1], 150) + GAP, TOP + CELL * x.shape[0] + GAP
    places = [(0, TOP), (right, TOP), (right, lower), (0, lower)]
    if not wide:
        places, level = [], TOP
        for array in (x, y, dy, dx):
            places.append((0, level))
            level += CELL * array.shape[0] + 44
    titles = ("x, maxima coloured", "y", "dy", "dx")
    arrays = zip((x, y, dy, dx), places, titles, (tints, small, small, tints), (frames, None, None, frames))
    parts = [
        draw_grid(array, *place, CELL, tints=shades, text=figures, title=title, frame=outline)
        for array, place, title, shades, outline in arrays
    ]
    twice = {spot: windows for spot, windows in wins.items() if len(windows) > 1}
    bottom = max(level + CELL * array.shape[0] for (_, level), array in zip(places, (x, y, dy, dx)))
    if twice:
        note = f"{len(twice)} pixel{'s' if len(twice) > 1 else ''} won more than once: gradients add up"
        parts.append(label(note, 0, bottom + 24, size=14, colour=colour("muted")))
        bottom += 28
    won = "; ".join(
        f"row {h + 1}, column {w + 1} wins {len(windows)} of the windows and receives {figures(dx[h, w])}"
        for (h, w), windows in wins.items()
    )
    size = f"{window[0]}x{window[1]}, stride {strides[0]}x{strides[1]}"
    words = f"Max pooling {size}, of a {x.shape[0]}x{x.shape[1]} map. {won}."
    return picture(max(width, right + CELL * y.shape[1] if wide else 0), bottom + 4, *parts, description=words)
