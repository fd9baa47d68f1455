"""The twins of `affine.move` and `affine.resample`: the same arithmetic pixel by pixel, without index arrays.

They run in the threads that prepare batches, so each uses only its own thread (no `parallel=True`) and lets the others
run (`nogil=True`).
"""

import math

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.datasets.affine import FILLS, rounding
from minitorch_cnn.twins.arguments import check_move, check_resample
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous

PARALLEL = False  # each call uses only its own thread
NEAREST, ZERO, REFLECT = (FILLS.index(fill) for fill in ("nearest", "zero", "reflect"))


def move(images: Array, flips: Array, shifts: Array, fill: str) -> Array:
    """See `affine.move`."""
    check_move(images, flips, shifts, fill)
    moved = empty(images.shape, images.dtype)
    images, flips, shifts = map(contiguous, (images, flips, shifts))
    _move(images, flips, shifts, FILLS.index(fill), moved)
    return moved


def resample(images: Array, matrices: Array, fill: str) -> Array:
    """See `affine.resample`."""
    check_resample(images, matrices, fill)
    sampled = empty(images.shape, images.dtype)
    images, matrices = map(contiguous, (images, matrices))
    _resample(images, matrices, FILLS.index(fill), rounding(images.dtype), sampled)
    return sampled


@njit(nogil=True)
def _into_image(index, size, fill):
    """The pixel that stands in for `index`; -1 if there is none."""
    if 0 <= index < size:
        return index
    if fill == ZERO:
        return -1
    if fill == NEAREST or size == 1:
        return 0 if index < 0 else size - 1
    period = 2 * size - 2
    index = abs(index) % period
    return index if index < size else period - index


@njit(nogil=True)
def _move(images, flips, shifts, fill, moved):
    N, H, W, C = images.shape
    for n in range(N):
        for row in range(H):
            from_row = _into_image(row - shifts[n, 0], H, fill)
            for column in range(W):
                from_column = column - shifts[n, 1]
                if flips[n]:
                    from_column = W - 1 - from_column
                from_column = _into_image(from_column, W, fill)
                if from_row < 0 or from_column < 0:
                    for c in range(C):
                        moved[n, row, column, c] = 0
                else:
                    for c in range(C):
                        moved[n, row, column, c] = images[n, from_row, from_column, c]


@njit(nogil=True)
def _resample(images, matrices, fill, half, sampled):
    N, H, W, C = images.shape
    zero, one = np.float32(0), np.float32(1)
    centre_y, centre_x = np.float32((H - 1) / 2), np.float32((W - 1) / 2)
    for n in range(N):
        m = matrices[n]
        for i in range(H):
            row = np.float32(i) - centre_y
            for j in range(W):
                column = np.float32(j) - centre_x
                y = m[0, 0] * row + m[0, 1] * column + (m[0, 2] + centre_y)
                x = m[1, 0] * row + m[1, 1] * column + (m[1, 2] + centre_x)
                above, left = math.floor(y), math.floor(x)
                weight_below, weight_right = y - np.float32(above), x - np.float32(left)
                weight_above, weight_left = one - weight_below, one - weight_right
                below, right = _into_image(above + 1, H, fill), _into_image(left + 1, W, fill)
                above, left = _into_image(above, H, fill), _into_image(left, W, fill)
                # A pixel that does not exist has weight zero, so it does not matter which one is read instead.
                if above < 0:
                    above, weight_above = 0, zero
                if below < 0:
                    below, weight_below = 0, zero
                if left < 0:
                    left, weight_left = 0, zero
                if right < 0:
                    right, weight_right = 0, zero
                for c in range(C):
                    upper = (
                        np.float32(images[n, above, left, c]) * weight_left
                        + np.float32(images[n, above, right, c]) * weight_right
                    )
                    lower = (
                        np.float32(images[n, below, left, c]) * weight_left
                        + np.float32(images[n, below, right, c]) * weight_right
                    )
                    sampled[n, i, j, c] = upper * weight_above + lower * weight_below + half
