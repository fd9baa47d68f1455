"""im2col on a small image: which pixel lands in which column, and where its copies come back to in col2im.

The numbers are the engine's own: im2col of an image of pixel numbers, col2im of ones.
"""

import numpy as np

from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.engine.convolution.im2col import col2im, im2col
from minitorch_cnn.report.grids import draw_grid
from minitorch_cnn.report.svg import group, label, path, picture
from minitorch_cnn.report.theme import colour

CELL, GAP, TOP = 34, 62, 30
NONE = ((0, 0), (0, 0))
WINDOW, PIXEL = ("conv", 0.32), ("pool", 0.55)


def draw_im2col(size=(5, 5), window=(3, 3), strides=(1, 1), padding=NONE, *, place=4, pixel=None, width=640):
    """An image with its pixels numbered, and its columns: a row for each window.

    Args:
        size, window, strides, padding: as in `im2col`; one channel.
        place: which window is marked, counted in reading order.
        pixel: which pixel is marked, `(row, column)`; the middle one if not given.
        width: in pixels; below 500 the columns stand below the image.

    Returns:
        A `Drawing`.
    """
    H, W = size
    pixel = (H // 2, W // 2) if pixel is None else pixel
    columns, (OH, OW) = _columns(size, window, strides, padding)
    number = pixel[0] * W + pixel[1] + 1
    image, corner = _padded(size, padding), (place // OW * strides[0], place % OW * strides[1])
    rows = {(place, column): WINDOW for column in range(columns.shape[1])}
    copies = {tuple(map(int, spot)): PIXEL for spot in np.argwhere(columns == number)}
    marked = {(p + padding[0][0], q + padding[1][0]): PIXEL for p, q in [pixel]}
    seen = {(corner[0] + p, corner[1] + q): WINDOW for p in range(window[0]) for q in range(window[1])}
    parts = [
        draw_grid(image, 0, TOP, CELL, tints={**seen, **marked}, text=_pixel, title=f"image {H}x{W}",
                  frame=(*corner, *window, "conv")),
    ]  # fmt: skip
    x, y = _beside(image, width)
    parts.append(_arrow(image, x, y, width, "im2col"))
    title = f"columns {OH * OW}x{columns.shape[1]}: a row for each window"
    frame = (place, 0, 1, columns.shape[1], "conv")
    parts.append(draw_grid(columns, x, y, CELL, tints={**rows, **copies}, text=_pixel, title=title, frame=frame))
    words = (
        f"im2col of a {H}x{W} image with a {window[0]}x{window[1]} window. Window {place + 1} becomes row {place + 1}"
        f" of the columns: pixels {', '.join(str(value) if value else 'padding' for value in columns[place])}."
        f" Pixel {number} is copied into {len(copies)} rows: {', '.join(str(row + 1) for row, _ in copies)}."
    )
    return picture(max(width, x + CELL * columns.shape[1]), y + CELL * len(columns) + 4, *parts, description=words)


def draw_col2im(size=(5, 5), window=(3, 3), strides=(1, 1), padding=NONE, *, pixel=None, width=640):
    """The way back: the copies of one pixel in the columns, and how many copies every pixel adds up.

    Args and result as in `draw_im2col`.
    """
    H, W = size
    pixel = (H // 2, W // 2) if pixel is None else pixel
    columns, _ = _columns(size, window, strides, padding)
    number = pixel[0] * W + pixel[1] + 1
    counts = col2im(np.ones(columns.shape), (1, H, W, 1), window, strides, padding)[0, :, :, 0].astype(int)
    copies = [tuple(map(int, spot)) for spot in np.argwhere(columns == number)]
    most = counts.max()
    shades = {(i, j): ("conv", 0.08 + 0.4 * counts[i, j] / most) for i in range(H) for j in range(W)}
    shades[pixel] = PIXEL
    parts = [draw_grid(counts, 0, TOP, CELL, tints=shades, title=f"dx {H}x{W}: copies added up",
                       frame=(*pixel, 1, 1, "pool"))]  # fmt: skip
    x, y = _beside(counts, max(width, 0))
    parts.append(_arrow(counts, x, y, width, "col2im", back=True))
    tints = dict.fromkeys(copies, PIXEL)
    parts.append(draw_grid(columns, x, y, CELL, tints=tints, text=_pixel, title="dcolumns: what each copy received"))
    words = (
        f"col2im: pixel {number} has {len(copies)} copies in the columns,"
        f" in rows {', '.join(str(row + 1) for row, _ in copies)}, and its gradient is their sum."
        " Copies of each pixel, row by row: " + "; ".join(" ".join(map(str, row)) for row in counts) + "."
    )
    return picture(max(width, x + CELL * columns.shape[1]), y + CELL * len(columns) + 4, *parts, description=words)


def _columns(size, window, strides, padding):
    """(columns of an image of pixel numbers from 1 on, 0 where there is padding; (OH, OW))."""
    numbers = np.arange(1, size[0] * size[1] + 1).reshape(1, *size, 1)
    return im2col(numbers, window, strides, padding), output_size(size, window, strides, padding)


def _padded(size, padding):
    return np.pad(np.arange(1, size[0] * size[1] + 1).reshape(size), padding)


def _pixel(number):
    return str(number) if number else "·"


def _beside(image, width):
    """Where the columns begin: to the right of the image, or below it."""
    rows, columns = image.shape
    return (CELL * columns + GAP + 20, TOP) if width >= 500 else (0, TOP + CELL * rows + GAP + 18)


def _arrow(image, x, y, width, words, back=False):
    """An arrow between image and columns with a word on it."""
    rows, columns = image.shape
    if width >= 500:
        start, end, level = CELL * columns + 10, x - 10, TOP + CELL * rows / 2
        start, end = (end, start) if back else (start, end)
        head = 6 if end > start else -6
        points = [(start, level), (end, level), (end - head, level - 4), (end, level), (end - head, level + 4)]
        spot = label(words, (start + end) / 2, level - 10, size=13, anchor="middle", colour=colour("muted"))
    else:
        start, end, middle = TOP + CELL * rows + 6, y - 26, CELL * columns / 2
        start, end = (end, start) if back else (start, end)
        head = 6 if end > start else -6
        points = [(middle, start), (middle, end), (middle - 4, end - head), (middle, end), (middle + 4, end - head)]
        spot = label(words, middle + 10, (start + end) / 2 + 5, size=13, colour=colour("muted"))
    stroke = {"fill": "none", "stroke": colour("muted"), "stroke_width": 1.5}
    return group(path(points, **stroke), spot)
