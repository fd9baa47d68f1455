"""Geometric transforms of images: whole-pixel shifts by copying, everything else by one bilinear interpolation.

Both functions work backwards, as image warping usually does: for each pixel of the result they compute where in the
original it comes from. Therefore no pixel of the result is left empty or written twice.

Pixels from outside the original are filled in according to `fill`:

    "nearest"   the nearest edge pixel                     a a | a b c d | d d
    "zero"      black                                      0 0 | a b c d | 0 0
    "reflect"   the image mirrored at its edge pixels      c b | a b c d | c b
"""

from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, accelerated, namespace

FILLS = ("nearest", "zero", "reflect")


@accelerated
def move(images: Array, flips: Array, shifts: Array, fill: str) -> Array:
    """Mirror and shift images (N, H, W, C) by whole pixels; every pixel is copied, none is interpolated.

    Arguments: `images` (N, H, W, C) of any dtype; `flips` (N,) bool, whether each image is mirrored left to right
    before the shift; `shifts` (N, 2) int64, how many pixels each image moves down and to the right; `fill` one of
    `FILLS`. Returns a new array of the shape and dtype of `images`.
    """
    xp = namespace(images)
    N, H, W, _ = images.shape
    rows = xp.arange(H) - shifts[:, :1]  # (N, H): which row of the original each row of the result comes from
    columns = xp.arange(W) - shifts[:, 1:]  # (N, W)
    columns = xp.where(flips[:, None], W - 1 - columns, columns)
    rows, row_exists = _into_image(rows, H, fill)
    columns, column_exists = _into_image(columns, W, fill)
    moved = images[xp.arange(N)[:, None, None], rows[:, :, None], columns[:, None, :]]
    moved[~(row_exists[:, :, None] & column_exists[:, None, :])] = 0
    return moved


@accelerated
def resample(images: Array, matrices: Array, fill: str) -> Array:
    """Transform each image (N, H, W, C) by its own affine map, with bilinear interpolation.

    Arguments: `images` (N, H, W, C), uint8 or float32; `matrices` (N, 2, 3) float32, each mapping a pixel (row, column)
    of the result to its source in the original, [y, x] = matrix @ [row, column, 1], all coordinates measured in pixels
    from the centre of the image; `fill` one of `FILLS`. Returns a new array of the shape and dtype of `images`; uint8
    values are rounded to the nearest integer.

    All arithmetic is float32 and in the order written here. The compiled twins follow it, so they give the same pixels.
    """
    xp = namespace(images)
    N, H, W, _ = images.shape
    one = np.float32(1)
    centre_y, centre_x = np.float32((H - 1) / 2), np.float32((W - 1) / 2)
    row = (xp.arange(H, dtype=np.float32) - centre_y)[:, None]
    column = xp.arange(W, dtype=np.float32) - centre_x
    m = matrices[:, :, :, None, None]
    y = m[:, 0, 0] * row + m[:, 0, 1] * column + (m[:, 0, 2] + centre_y)  # (N, H, W)
    x = m[:, 1, 0] * row + m[:, 1, 1] * column + (m[:, 1, 2] + centre_x)

    above, left = xp.floor(y), xp.floor(x)
    weight_below, weight_right = y - above, x - left
    weight_above, weight_left = one - weight_below, one - weight_right
    above, left = above.astype(np.int64), left.astype(np.int64)
    below, below_exists = _into_image(above + 1, H, fill)
    right, right_exists = _into_image(left + 1, W, fill)
    above, above_exists = _into_image(above, H, fill)
    left, left_exists = _into_image(left, W, fill)

    def weigh(weight, exists):
        return xp.where(exists, weight, np.float32(0))[..., None]

    n = xp.arange(N)[:, None, None]
    weight_left, weight_right = weigh(weight_left, left_exists), weigh(weight_right, right_exists)
    upper = images[n, above, left] * weight_left + images[n, above, right] * weight_right
    lower = images[n, below, left] * weight_left + images[n, below, right] * weight_right
    sampled = upper * weigh(weight_above, above_exists) + lower * weigh(weight_below, below_exists)
    # A cast to an integer type truncates, so half is added first.
    return (sampled + rounding(images.dtype)).astype(images.dtype)


def rounding(dtype: Any) -> np.float32:
    """What to add before a cast to `dtype` so that the cast rounds to nearest: 0.5 for integers, 0 for floats."""
    return np.float32(0.5 if np.issubdtype(dtype, np.integer) else 0)


def _into_image(index, size, fill):
    """For each `index`, which may lie outside 0..size-1: the source pixel inside, and whether there is one (bool)."""
    xp = namespace(index)
    exists = xp.ones(index.shape, dtype=bool)
    if fill == "zero":
        exists = (index >= 0) & (index < size)
    if fill == "reflect" and size > 1:
        period = 2 * size - 2  # forwards and backwards; each of the two edge pixels occurs once
        index = xp.abs(index) % period
        index = xp.where(index < size, index, period - index)
    return xp.clip(index, 0, size - 1), exists
