"""The twins of batch normalisation: one pass over the arrays for each function, and with a ReLU in the same pass.

Sums are computed stripe by stripe (`rows.py`).
"""

from typing import Any

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.twins.arguments import check_channels
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.rows import added, fold, repeated, stripe_length, tiles


def moments(x: Array) -> tuple[Array, Array]:
    """See `batch_norm.moments`."""
    check_channels(x)
    (x,) = one_type(x)
    C = x.shape[-1]
    length = stripe_length(x)
    means, squares = (np.empty((-(-x.size // (length * C)), C), x.dtype) for _ in range(2))
    _moments(x.reshape(-1), C, tiles(C), length, means, squares)
    return _join(means, squares, x.size // C, length)


def normalise(
    x: Array, mean: Array, scale: Array, shift: Array, *, relu: bool = False, ceiling: float = np.inf
) -> Array:
    """See `batch_norm.normalise`; with `relu`, negative results become 0, and larger ones than `ceiling` that."""
    check_channels(x, mean, scale, shift)
    x, mean, scale, shift = one_type(x, mean, scale, shift)
    y = empty_like(x)
    limits = x.dtype.type(0 if relu else -np.inf), x.dtype.type(ceiling)
    C = x.shape[-1]
    _normalise(x.reshape(-1), mean, scale, shift, tiles(C), limits, stripe_length(x) * C, y.reshape(-1))
    return y


def sums_backward(dy: Array, x: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
    """See `batch_norm.sums_backward`."""
    check_channels(x, mean, inverse, dy=dy)
    return _summed(dy, x, mean, inverse, mean, mean, whole=True)


def relu_sums_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, shift: Array, *, ceiling: float = np.inf
) -> tuple[Array, Array]:  # fmt: skip
    """The same for the dy of a ReLU after y = (x - mean) * scale + shift: it counts only where 0 < y < `ceiling`."""
    check_channels(x, mean, inverse, scale, shift, dy=dy)
    return _summed(dy, x, mean, inverse, scale, shift, whole=False, ceiling=ceiling)


def normalise_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, mean_dy: Array, mean_dy_n: Array, *,
    sums: bool = False,
) -> Any:  # fmt: skip
    """See `batch_norm.normalise_backward`; with `sums` it returns (dx, its sums (C,))."""
    check_channels(x, mean, inverse, scale, mean_dy, mean_dy_n, dy=dy)
    dx, total = _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, mean, whole=True)
    return (dx, total) if sums else dx


def relu_normalise_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, mean_dy: Array, mean_dy_n: Array, shift: Array, *,
    ceiling: float = np.inf,
) -> tuple[Array, Array]:  # fmt: skip
    """(dx, its sums (C,)) for the dy of a ReLU after y = (x - mean) * scale + shift, as in `relu_sums_backward`."""
    check_channels(x, mean, inverse, scale, mean_dy, mean_dy_n, shift, dy=dy)
    return _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift, whole=False, ceiling=ceiling)


def _summed(dy, x, mean, inverse, scale, shift, whole, ceiling=np.inf):
    dy, x, *vectors = one_type(dy, x, mean, inverse, scale, shift)
    C, length = x.shape[-1], stripe_length(x)
    sums = np.empty((-(-x.size // (length * C)), 2 * C), x.dtype)
    ceiling = x.dtype.type(ceiling)
    _sums_backward(dy.reshape(-1), x.reshape(-1), C, *vectors, tiles(C), whole, ceiling, length, sums)
    sum_dy, sum_dy_n = added(sums).reshape(2, C)
    return sum_dy, sum_dy_n


def _passed_back(dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift, whole, ceiling=np.inf):
    dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift = one_type(
        dy, x, mean, inverse, scale, mean_dy, mean_dy_n, shift
    )
    C, length = x.shape[-1], stripe_length(x)
    dx, partial = empty_like(x), np.empty((-(-x.size // (length * C)), C), x.dtype)
    vectors = mean, scale, shift, mean_dy, inverse * mean_dy_n
    ceiling, flat = x.dtype.type(ceiling), dx.reshape(-1)
    _normalise_backward(dy.reshape(-1), x.reshape(-1), C, *vectors, tiles(C), whole, ceiling, length, flat, partial)
    return dx, added(partial)


@njit(nogil=True)
def _join(means, squares, count, length):
    """(mean, variance) of all stripes: each adds its own squares, and that of its mean's distance from all."""
    stripes, C = means.shape
    mean, variance = np.empty(C, means.dtype), np.empty(C, means.dtype)
    for c in range(C):
        total, spread = 0.0, 0.0
        for stripe in range(stripes):
            total += min(length, count - stripe * length) * np.float64(means[stripe, c])
        centre = total / count
        for stripe in range(stripes):
            apart = means[stripe, c] - centre
            spread += squares[stripe, c] + min(length, count - stripe * length) * apart * apart
        mean[c], variance[c] = centre, spread / count
    return mean, variance


@njit(parallel=True)
def _moments(x, C, together, length, means, squares):
    W = uintp(together * C)
    step = length * C
    for stripe in prange(len(means)):
        first, last = uintp(stripe * step), uintp(min((stripe + 1) * step, x.size))
        rows = x.dtype.type((last - first) // uintp(C))
        sums = np.zeros(W, x.dtype)
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                sums[k] += x[at + k]
        fold(sums, C, means[stripe])
        mean = np.empty(W, x.dtype)
        for k in range(W):
            mean[k] = means[stripe, k % uintp(C)] / rows
            sums[k] = 0
        for c in range(uintp(C)):
            means[stripe, c] = mean[c]
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                centred = x[at + k] - mean[k]
                sums[k] += centred * centred
        fold(sums, C, squares[stripe])


@njit(parallel=True)
def _normalise(x, mean, scale, shift, together, limits, block, y):
    mean, scale, shift = repeated(mean, together), repeated(scale, together), repeated(shift, together)
    W = uintp(mean.size)
    floor, ceiling = limits
    for piece in prange((x.size + block - 1) // block):
        first, last = uintp(piece * block), uintp(min((piece + 1) * block, x.size))
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                value = (x[at + k] - mean[k]) * scale[k] + shift[k]
                value = floor if value < floor else value
                y[at + k] = ceiling if value > ceiling else value


@njit(parallel=True)
def _sums_backward(dy, x, C, mean, inverse, scale, shift, together, whole, ceiling, length, sums):
    mean, inverse = repeated(mean, together), repeated(inverse, together)
    scale, shift = repeated(scale, together), repeated(shift, together)
    W, zero, unlimited = uintp(mean.size), x.dtype.type(0), ceiling == np.inf
    step = length * C
    for stripe in prange(len(sums)):
        first, last = uintp(stripe * step), uintp(min((stripe + 1) * step, x.size))
        sum_dy, sum_dy_n = np.zeros(W, x.dtype), np.zeros(W, x.dtype)
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                centred = x[at + k] - mean[k]
                y = centred * scale[k] + shift[k]
                g = dy[at + k] if whole | ((y > zero) & (unlimited | (y < ceiling))) else zero
                sum_dy[k] += g
                sum_dy_n[k] += g * (centred * inverse[k])
        fold(sum_dy, C, sums[stripe, :C])
        fold(sum_dy_n, C, sums[stripe, C:])


@njit(parallel=True)
def _normalise_backward(
    dy, x, C, mean, scale, shift, mean_dy, slope, together, whole, ceiling, length, dx, partial
):  # fmt: skip
    mean, scale, shift = repeated(mean, together), repeated(scale, together), repeated(shift, together)
    mean_dy, slope = repeated(mean_dy, together), repeated(slope, together)
    W, zero, unlimited = uintp(mean.size), x.dtype.type(0), ceiling == np.inf
    step = length * C
    for stripe in prange(len(partial)):
        first, last = uintp(stripe * step), uintp(min((stripe + 1) * step, x.size))
        sums = np.zeros(W, x.dtype)
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                centred = x[at + k] - mean[k]
                y = centred * scale[k] + shift[k]
                g = dy[at + k] if whole | ((y > zero) & (unlimited | (y < ceiling))) else zero
                value = scale[k] * (g - mean_dy[k] - centred * slope[k])
                dx[at + k] = value
                sums[k] += value
        fold(sums, C, partial[stripe])
