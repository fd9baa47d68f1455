"""The twins of `max_pool2d.max_pool` and `max_pool_backward`: one pass, all channels of a window side by side."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.layers.max_pool2d import place_type
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous
from minitorch_cnn.twins.window_arguments import check_pool, check_pool_backward


def max_pool(x: Array, window: tuple, strides: tuple, padding: tuple) -> tuple[Array, Array]:
    """See `max_pool2d.max_pool`."""
    OH, OW = check_pool(x, window, strides, padding)
    y = empty((len(x), OH, OW, x.shape[3]), x.dtype)
    winner = empty(y.shape, place_type(window))
    _max_pool(contiguous(x), y, winner, window, strides, (padding[0][0], padding[1][0]))
    return y, winner


def max_pool_backward(
    dy: Array, winner: Array, input_shape: tuple, window: tuple, strides: tuple, padding: tuple
) -> Array:
    """See `max_pool2d.max_pool_backward`; a worker computes whole images, so no two add to the same pixel."""
    check_pool_backward(dy, winner, input_shape, window, strides, padding)
    dx = np.zeros(input_shape, dy.dtype)
    _max_pool_backward(contiguous(dy), contiguous(winner), dx, window, strides, (padding[0][0], padding[1][0]))
    return dx


@njit(parallel=True)
def _max_pool(x, y, winner, window, strides, corner):
    (N, H, W, C), (_, OH, OW, _) = x.shape, y.shape
    (KH, KW), (SH, SW), (top, left) = window, strides, corner
    x, y, winner = x.reshape(-1), y.reshape(-1), winner.reshape(-1)
    lowest = y.dtype.type(-np.inf)
    for row in prange(N * OH):
        n = row // OH
        h_first = (row - n * OH) * SH - top
        for j in range(OW):
            w_first = j * SW - left
            at = uintp((row * OW + j) * C)
            for c in range(uintp(C)):
                y[at + c] = lowest
                winner[at + c] = 0
            for p in range(max(0, -h_first), min(KH, H - h_first)):
                for q in range(max(0, -w_first), min(KW, W - w_first)):
                    source = uintp(((n * H + h_first + p) * W + w_first + q) * C)
                    place = winner.dtype.type(p * KW + q)
                    for c in range(uintp(C)):
                        value, best = x[source + c], y[at + c]
                        larger = (value > best) | ((value != value) & (best == best))
                        y[at + c] = value if larger else best
                        winner[at + c] = place if larger else winner[at + c]


@njit(parallel=True)
def _max_pool_backward(dy, winner, dx, window, strides, corner):
    (N, H, W, C), (_, OH, OW, _) = dx.shape, dy.shape
    (KH, KW), (SH, SW), (top, left) = window, strides, corner
    dx, dy, winner = dx.reshape(-1), dy.reshape(-1), winner.reshape(-1)
    zero = dy.dtype.type(0)
    for n in prange(N):
        for i in range(OH):
            h_first = i * SH - top
            for j in range(OW):
                w_first = j * SW - left
                at = uintp(((n * OH + i) * OW + j) * C)
                for p in range(max(0, -h_first), min(KH, H - h_first)):
                    for q in range(max(0, -w_first), min(KW, W - w_first)):
                        to = uintp(((n * H + h_first + p) * W + w_first + q) * C)
                        place = winner.dtype.type(p * KW + q)
                        for c in range(uintp(C)):
                            dx[to + c] += dy[at + c] if winner[at + c] == place else zero
