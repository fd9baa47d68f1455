"""Draws im2col on a small image: where each pixel is copied to, and how col2im adds the copies up again.

The numbers are computed by the engine: im2col of an image whose pixels are numbered, and col2im of ones.
"""

from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.engine.convolution.im2col import col2im, im2col
from minitorch_cnn.report.grids import draw_grid
from minitorch_cnn.report.svg import Drawing, group, label, path, picture
from minitorch_cnn.report.theme import colour

CELL, GAP, TOP = 34, 62, 30
Padding: TypeAlias = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)
NONE: Padding = ((0, 0), (0, 0))
WINDOW, PIXEL = ("conv", 0.32), ("pool", 0.55)


def draw_im2col(
    size: tuple[int, int] = (5, 5),
    window: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    padding: Padding = NONE,
    *,
    place: int = 4,
    pixel: tuple[int, int] | None = None,
    width: float = 640,
) -> Drawing:
    """Draws an image with numbered pixels and the matrix of its columns, which has one row for each window.

    Arguments: `size` `(H, W)` of an image with one channel, `window`, `strides` and `padding` as in `im2col`; `place`,
    the window to mark, counted from 0 in reading order; `pixel`, the `(row, column)` to mark, by default the middle
    one; `width` in pixels, where below 500 the columns are drawn below the image.
    """
    H, W = size
    pixel = (H // 2, W // 2) if pixel is None else pixel
    columns, (OH, OW) = _columns(size, window, strides, padding)
    number = pixel[0] * W + pixel[1] + 1
    image, corner = _padded(size, padding), (place // OW * strides[0], place % OW * strides[1])
    rows = {(place, column): WINDOW for column in range(columns.shape[1])}
    copies = {(int(row), int(column)): PIXEL for row, column in np.argwhere(columns == number)}
    marked = {(p + padding[0][0], q + padding[1][0]): PIXEL for p, q in [pixel]}
    seen = {(corner[0] + p, corner[1] + q): WINDOW for p in range(window[0]) for q in range(window[1])}
    parts = [
        draw_grid(image, 0, TOP, CELL, tints={**seen, **marked}, text=_pixel, title=_size_of(size, image),
                  frame=(*corner, *window, "conv")),
    ]  # fmt: skip
    x, y = _beside(image, width)
    parts.append(_arrow(image, x, y, width, "im2col"))
    title = f"columns {OH * OW}x{columns.shape[1]}: one row per window"
    frame = (place, 0, 1, columns.shape[1], "conv")
    parts.append(draw_grid(columns, x, y, CELL, tints={**rows, **copies}, text=_pixel, title=title, frame=frame))
    words = (
        f"im2col of a {H}x{W} image with a {window[0]}x{window[1]} window. Window {place + 1} becomes row {place + 1}"
        f" of the columns: pixels {', '.join(str(value) if value else 'padding' for value in columns[place])}."
        f" Pixel {number} is copied into {len(copies)} rows: {', '.join(str(row + 1) for row, _ in copies)}."
    )
    return picture(*_extent(image, columns, x, y, width), *parts, description=words)


def draw_col2im(
    size: tuple[int, int] = (5, 5),
    window: tuple[int, int] = (3, 3),
    strides: tuple[int, int] = (1, 1),
    padding: Padding = NONE,
    *,
    pixel: tuple[int, int] | None = None,
    width: float = 640,
) -> Drawing:
    """Draws the backward pass where every copy received the gradient 1, so that dx counts the copies of each pixel.

    Arguments as in `draw_im2col`.
    """
    H, W = size
    pixel = (H // 2, W // 2) if pixel is None else pixel
    columns, _ = _columns(size, window, strides, padding)
    number = pixel[0] * W + pixel[1] + 1
    counts = col2im(np.ones(columns.shape), (1, H, W, 1), window, strides, padding)[0, :, :, 0].astype(int)
    copies = [(int(row), int(column)) for row, column in np.argwhere(columns == number)]
    most = counts.max()
    shades = {(i, j): ("conv", 0.08 + 0.4 * counts[i, j] / most) for i in range(H) for j in range(W)}
    shades[pixel] = PIXEL
    parts = [draw_grid(counts, 0, TOP, CELL, tints=shades, title=f"dx {H}x{W}: copies added",
                       frame=(*pixel, 1, 1, "pool"))]  # fmt: skip
    x, y = _beside(counts, max(width, 0))
    parts.append(_arrow(counts, x, y, width, "col2im", back=True))
    tints = dict.fromkeys(copies, PIXEL)
    received = np.ones(columns.shape, int)
    parts.append(draw_grid(received, x, y, CELL, tints=tints, title="dcolumns: each copy received 1"))
    words = (
        f"col2im of ones: pixel {number} has {len(copies)} copies in the columns,"
        f" in rows {', '.join(str(row + 1) for row, _ in copies)}, and its gradient is the sum of theirs."
        " Copies of each pixel, row by row: " + "; ".join(" ".join(map(str, row)) for row in counts) + "."
    )
    return picture(*_extent(counts, columns, x, y, width), *parts, description=words)


def _extent(image: np.ndarray, columns: np.ndarray, x: float, y: float, width: float) -> tuple[float, float]:
    """(width, height) of a picture of both, with the upper left corner of the columns at x, y."""
    height = max(TOP + CELL * len(image), y + CELL * len(columns))
    return max(width, x + CELL * columns.shape[1]), height + 4


def _size_of(size: tuple[int, int], image: np.ndarray) -> str:
    """The title of an image, with the size that padding gave it."""
    H, W = size
    padded = f", padded to {image.shape[0]}x{image.shape[1]}" if image.shape != (H, W) else ""
    return f"image {H}x{W}{padded}"


def _columns(
    size: tuple[int, int], window: tuple[int, int], strides: tuple[int, int], padding: Padding
) -> tuple[np.ndarray, tuple[int, int]]:
    """The columns of an image of pixel numbers, counted from 1 with 0 for padding, and `(OH, OW)`."""
    numbers = np.arange(1, size[0] * size[1] + 1).reshape(1, *size, 1)
    return im2col(numbers, window, strides, padding), output_size(size, window, strides, padding)


def _padded(size: tuple[int, int], padding: Padding) -> np.ndarray:
    return np.pad(np.arange(1, size[0] * size[1] + 1).reshape(size), padding)


def _pixel(number: int) -> str:
    return str(number) if number else "·"


def _beside(image: np.ndarray, width: float) -> tuple[int, int]:
    """The upper left corner of the columns: to the right of the image, or below it."""
    rows, columns = image.shape
    return (CELL * columns + GAP + 20, TOP) if width >= 500 else (0, TOP + CELL * rows + GAP + 18)


def _arrow(image: np.ndarray, x: float, y: float, width: float, words: str, back: bool = False) -> Drawing:
    """Draws an arrow with a label between the image and the columns; `back` turns it around."""
    rows, columns = image.shape
    if width >= 500:
        start, end, level = CELL * columns + 10.0, x - 10, TOP + CELL * rows / 2
        start, end = (end, start) if back else (start, end)
        head = 6 if end > start else -6
        points = [(start, level), (end, level), (end - head, level - 4), (end, level), (end - head, level + 4)]
        spot = label(words, (start + end) / 2, level - 10, size=13, anchor="middle", colour=colour("muted"))
    else:
        start, end, middle = TOP + CELL * rows + 6.0, y - 26, CELL * columns / 2
        start, end = (end, start) if back else (start, end)
        head = 6 if end > start else -6
        points = [(middle, start), (middle, end), (middle - 4, end - head), (middle, end), (middle + 4, end - head)]
        spot = label(words, middle + 10, (start + end) / 2 + 5, size=13, colour=colour("muted"))
    stroke: dict[str, Any] = {"fill": "none", "stroke": colour("muted"), "stroke_width": 1.5}
    return group(path(points, **stroke), spot)
