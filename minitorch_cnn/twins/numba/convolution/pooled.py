"""The backward pass through a 2x2 max pool and the ReLU before it, for `stages/conv_pool.py`.

The forward pass is in the twins of the convolution algorithms, which pool their results at once.
"""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.reductions import STRIPES
from minitorch_cnn.twins.numba.block_product import cut, fill_up
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous
from minitorch_cnn.twins.numba.simd import lanes, load, load_bytes, store, where_equal
from minitorch_cnn.twins.window_arguments import check_pooled


def backward(dy: Array, winner: Array, out: tuple) -> tuple[Array, Array]:
    """(dscores, dbias): dscores (N, *out, K) has each dy at its window's winner, and 0 elsewhere.

    dbias (K,) is its sum over images and pixels. Stripes of fixed length are summed first, so the bits do not depend on
    the threads.
    """
    check_pooled(dy, winner, out)
    K, L = dy.shape[3], lanes(dy.dtype)
    dy, winner = fill_up(contiguous(dy), L), fill_up(contiguous(winner), L)
    dscores = empty((len(dy), *out, dy.shape[3]), dy.dtype)
    rows = len(dy) * out[0]
    length = -(-rows // STRIPES)
    partial = np.zeros((-(-rows // length), dy.shape[3]), dy.dtype)
    _backward(dy, winner, dscores, partial, length, L)
    return cut(dscores, K), partial.sum(axis=0)[:K]


@njit(parallel=True)
def _backward(dy, winner, dscores, partial, length, lanes):
    N, OH, OW, K = dscores.shape
    PH, PW = dy.shape[1:3]
    stripes = partial.shape[0]
    dy, winner, dscores, sums = dy.reshape(-1), winner.reshape(-1), dscores.reshape(-1), partial.reshape(-1)
    zero = dy.dtype.type(0)
    for stripe in prange(stripes):
        for row in range(stripe * length, min((stripe + 1) * length, N * OH)):
            n, i = row // OH, row % OH
            to = row * OW * K
            if i >= 2 * PH:
                for at in range(uintp(to), uintp(to + OW * K)):
                    dscores[at] = zero
                continue
            source = (n * PH + i // 2) * PW * K
            first = i % 2 * 2  # the place of the left one of the two pixels
            for j in range(PW):
                for k in range(0, K, lanes):
                    at = uintp(source + j * K + k)
                    value, place = load(dy, at), load_bytes(winner, at, zero)
                    left, right = where_equal(place, first, value), where_equal(place, first + 1, value)
                    store(dscores, to + 2 * j * K + k, left)
                    store(dscores, to + (2 * j + 1) * K + k, right)
                    store(sums, stripe * K + k, load(sums, stripe * K + k) + (left + right))
            for at in range(uintp(to + 2 * PW * K), uintp(to + OW * K)):
                dscores[at] = zero
