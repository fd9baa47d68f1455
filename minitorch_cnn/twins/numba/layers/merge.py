"""The twins of `merge`: one pass by all workers, a sum with a ReLU in the same pass.

A feature map times one factor for each channel goes row by row, so the factors are read from the first-level cache.
"""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.twins.arguments import check_images, check_reals
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.rows import fold, tiles

BLOCK = 16384  # elements that a worker takes at a time


def add(x1: Array, x2: Array, *, relu: bool = False) -> Array:
    """See `merge.add`; with `relu`, negative sums become 0."""
    check_reals(x1, x2)
    x1, x2 = one_type(*np.broadcast_arrays(x1, x2))
    y = empty_like(x1)
    _add(x1.reshape(-1), x2.reshape(-1), y.dtype.type(0 if relu else -np.inf), y.reshape(-1))
    return y


def multiply(x1: Array, x2: Array) -> Array:
    """See `merge.multiply`; factors (N, 1, 1, C) for the channels of images (N, H, W, C) are not copied."""
    check_reals(x1, x2)
    x1, x2 = (x2, x1) if x1.size < x2.size else (x1, x2)
    if x1.ndim == 4 and x2.shape == (len(x1), 1, 1, x1.shape[3]):
        x1, x2 = one_type(x1, x2)
        y = empty_like(x1)
        _multiply_channels(x1.reshape(-1, x1.shape[3]), x2.reshape(len(x2), -1), y.reshape(-1, x1.shape[3]))
    else:
        x1, x2 = one_type(*np.broadcast_arrays(x1, x2))
        y = empty_like(x1)
        _multiply(x1.reshape(-1), x2.reshape(-1), y.reshape(-1))
    return y


def factors_backward(dy: Array, x: Array) -> Array:
    """See `merge.factors_backward`; one image a worker."""
    check_images(dy, x)
    dy, x = one_type(dy, x)
    sums = np.empty((len(x), 1, 1, x.shape[3]), x.dtype)
    _sums_of_products(dy.reshape(-1), x.reshape(-1), tiles(x.shape[3]), sums.reshape(len(x), -1))
    return sums


@njit(parallel=True)
def _multiply(x1, x2, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, y.size))):
            y[i] = x1[i] * x2[i]


@njit(parallel=True)
def _multiply_channels(x, factors, y):
    (rows, C), pixels = x.shape, len(x) // len(factors)
    step = max(1, BLOCK // C)
    for block in prange((rows + step - 1) // step):
        for row in range(uintp(block * step), uintp(min((block + 1) * step, rows))):
            n = row // uintp(pixels)
            for c in range(uintp(C)):
                y[row, c] = x[row, c] * factors[n, c]


@njit(parallel=True)
def _sums_of_products(a, b, together, total):
    N, C = total.shape
    W, step = uintp(together * C), a.size // N
    for n in prange(N):
        first, last = uintp(n * step), uintp((n + 1) * step)
        sums = np.zeros(W, a.dtype)
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                sums[k] += a[at + k] * b[at + k]
        fold(sums, C, total[n])


@njit(parallel=True)
def _add(x1, x2, floor, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, y.size))):
            value = x1[i] + x2[i]
            y[i] = floor if value < floor else value
