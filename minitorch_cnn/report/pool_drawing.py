"""A max pool forwards and backwards: the winner of each window, and what it gets. The numbers are the engine's own."""

import numpy as np

from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import label, picture
from minitorch_cnn.report.theme import colour

CELL, TOP, GAP = 38, 30, 58
HUES = ("conv", "pool", "dense", "right")


def draw_max_pool(x, dy=None, window=(2, 2), strides=None, *, width=640):
    """x with the winners marked and y; below, dy and dx, in which the winners have what was handed back.

    Args:
        x: `(H, W)`.
        dy: `(OH, OW)`; ones if not given.
        window, strides: of the pool; the strides are the window's size if not given.
        width: in pixels; below 500 the four matrices stand one below the other.

    Returns:
        A `Drawing`.
    """
    strides = tuple(window) if strides is None else tuple(strides)
    x = np.asarray(x, float)[None, :, :, None]
    y, winner = max_pool.definition(x, tuple(window), strides, NO_PADDING)
    dy = np.ones(y.shape) if dy is None else np.asarray(dy, float)[None, :, :, None]
    dx = max_pool_backward.definition(dy, winner, x.shape, tuple(window), strides, NO_PADDING)
    x, y, winner, dy, dx = (array[0, :, :, 0] for array in (x, y, winner, dy, dx))
    hues, wins, tints, frames = {}, {}, {}, []
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
    titles = ("x, winners coloured", "y", "dy", "dx")
    arrays = zip((x, y, dy, dx), places, titles, (tints, small, small, tints), (frames, None, None, frames))
    parts = [
        draw_grid(array, *place, CELL, tints=shades, text=figures, title=title, frame=outline)
        for array, place, title, shades, outline in arrays
    ]
    twice = {spot: windows for spot, windows in wins.items() if len(windows) > 1}
    bottom = max(level + CELL * array.shape[0] for (_, level), array in zip(places, (x, y, dy, dx)))
    if twice:
        note = f"{len(twice)} pixel{'s' if len(twice) > 1 else ''} won more than once: what they get adds up"
        parts.append(label(note, 0, bottom + 24, size=14, colour=colour("muted")))
        bottom += 28
    won = "; ".join(
        f"row {h + 1}, column {w + 1} wins {len(windows)} and gets {figures(dx[h, w])}"
        for (h, w), windows in wins.items()
    )
    size = f"{window[0]}x{window[1]}, stride {strides[0]}x{strides[1]}"
    words = f"Max pooling {size}, of a {x.shape[0]}x{x.shape[1]} map. {won}."
    return picture(max(width, right + CELL * y.shape[1] if wide else 0), bottom + 4, *parts, description=words)
