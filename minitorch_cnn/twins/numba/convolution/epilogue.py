"""For the stages: one pass that computes the gradients of ReLU and bias, and the pooling inside fast algorithms."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.engine.reductions import STRIPES
from minitorch_cnn.twins.arguments import check_same_shape
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.simd import load, splat, store, store_bytes, take_larger

SHORTEST = 64  # rows of a stripe at least


def bias_relu_backward(dy: Array, y: Array) -> tuple[Array, Array]:
    """(dscores, dbias): dscores = dy where y > 0, else 0; dbias (K,) is its sum over images and pixels.

    Stripes of fixed length are summed first, so the bits do not depend on the threads.
    """
    check_same_shape(dy, y)
    dy, y = one_type(dy, y)
    K, dscores = dy.shape[-1], empty_like(dy)
    rows = dy.size // K
    length = max(SHORTEST, -(-rows // STRIPES))
    partial = np.empty((-(-rows // length), K), dy.dtype)
    _bias_relu_backward(dy.reshape(-1), y.reshape(-1), dscores.reshape(-1), partial, length)
    return dscores, partial.sum(axis=0)


@njit(parallel=True)
def _bias_relu_backward(dy, y, dscores, partial, length):
    stripes, K = partial.shape
    zero = dy.dtype.type(0)
    sums = partial.reshape(-1)
    for stripe in prange(stripes):
        base = uintp(stripe * K)
        for k in range(uintp(K)):
            sums[base + k] = zero
        for at in range(stripe * length * K, min((stripe + 1) * length * K, dy.size), K):
            for k in range(uintp(K)):
                value = dy[uintp(at) + k] if y[uintp(at) + k] > zero else zero
                dscores[uintp(at) + k] = value
                sums[base + k] += value


@njit(nogil=True)
def pool_rows(rows, at, row, pixel, y, winner, to, window, windows, channels, lanes):
    """Pool `windows` 2x2 windows in two rows from `at` of `rows`: the largest number goes to y, its place to winner.

    `row`, `pixel` and `window` are the distances between consecutive ones, in elements. If no number of a window is
    above zero, the result is zero and its place is `conv_pool.NOBODY`.
    """
    zero, nobody = splat(rows.dtype.type(0)), splat(rows.dtype.type(4))
    for j in range(windows):
        for k in range(0, channels, lanes):
            first = at + 2 * j * pixel + k
            best, place = take_larger(zero, nobody, load(rows, first), 0)
            best, place = take_larger(best, place, load(rows, first + pixel), 1)
            best, place = take_larger(best, place, load(rows, first + row), 2)
            best, place = take_larger(best, place, load(rows, first + row + pixel), 3)
            store(y, to + j * window + k, best)
            store_bytes(winner, to + j * window + k, place)
