"""The twins of `dropout.drop` and `dropout.scale`: random bits, mask and product in one pass over the array."""

import numpy as np
from numba import njit, prange, uint32, uint64, uintp

from minitorch_cnn.backend.philox import KEY_STEPS, MULTIPLIERS, ROUNDS

M0, M1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
W0, W1 = np.uint32(KEY_STEPS[0]), np.uint32(KEY_STEPS[1])
BLOCK = 4096  # counters; each gives four numbers


def drop(x, rate, key, draw):
    """See `dropout.drop`; the same bits."""
    from minitorch_cnn.layers.dropout import threshold

    x = np.ascontiguousarray(x)
    y, keep = np.empty_like(x), np.empty(x.shape, np.bool_)
    factor = x.dtype.type(1 / (1 - rate))
    words = [np.uint32(n & 0xFFFFFFFF) for n in (key[0], key[1], draw, draw >> 32)]
    _drop(x.reshape(-1), y.reshape(-1), keep.reshape(-1), np.uint32(threshold(rate)), factor, *words)
    return y, keep


def scale(x, keep, rate):
    """See `dropout.scale`."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    _scale(x.reshape(-1), keep.reshape(-1), x.dtype.type(1 / (1 - rate)), y.reshape(-1))
    return y


@njit(cache=True, parallel=True)
def _drop(x, y, keep, limit, factor, key0, key1, draw0, draw1):
    size = x.size
    zero = x.dtype.type(0)
    for block in prange((size + 4 * BLOCK - 1) // (4 * BLOCK)):
        bits = np.empty(4, np.uint32)
        first = block * BLOCK
        for index in range(first, min(first + BLOCK, (size + 3) // 4)):
            c0, c1, c2, c3 = uint32(index), uint32(uint64(index) >> uint64(32)), draw0, draw1
            k0, k1 = key0, key1
            for _ in range(ROUNDS):
                a, b = uint64(c0) * M0, uint64(c2) * M1
                c0, c1 = uint32(uint32(b >> uint64(32)) ^ c1 ^ k0), uint32(b)
                c2, c3 = uint32(uint32(a >> uint64(32)) ^ c3 ^ k1), uint32(a)
                k0, k1 = uint32(k0 + W0), uint32(k1 + W1)
            bits[0], bits[1], bits[2], bits[3] = c0, c1, c2, c3
            at = uintp(4 * index)
            for lane in range(uintp(min(4, size - 4 * index))):
                kept = bits[lane] >= limit
                keep[at + lane] = kept
                y[at + lane] = x[at + lane] * factor if kept else zero


@njit(cache=True, parallel=True)
def _scale(x, keep, factor, y):
    zero = x.dtype.type(0)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            y[i] = x[i] * factor if keep[i] else zero
