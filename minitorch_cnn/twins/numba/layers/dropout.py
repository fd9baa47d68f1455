"""The twins of `dropout.drop` and `dropout.scale`: random bits, mask and product in one pass over the array."""

import numpy as np
from numba import prange, uint32, uint64, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty, empty_like
from minitorch_cnn.engine.layers.dropout import threshold
from minitorch_cnn.engine.philox import KEY_STEPS, MULTIPLIERS, ROUNDS
from minitorch_cnn.twins.arguments import check_drop, check_scale
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous

M0, M1 = np.uint64(MULTIPLIERS[0]), np.uint64(MULTIPLIERS[1])
W0, W1 = np.uint32(KEY_STEPS[0]), np.uint32(KEY_STEPS[1])
BLOCK = 4096  # counters in a piece of work; each gives four numbers
TOGETHER = 64  # counters that go through the rounds together


def drop(x: Array, rate: float, key: tuple, draw: int, first: int = 0) -> tuple[Array, Array]:
    """See `dropout.drop`; the bits are the same."""
    check_drop(x, rate, key, draw, first)
    x = contiguous(x)
    y, keep = empty_like(x), empty(x.shape, np.bool_)
    factor = x.dtype.type(1 / (1 - rate))
    words = [np.uint32(n & 0xFFFFFFFF) for n in (key[0], key[1], draw, draw >> 32)]
    place = np.uint64(first // 4), first % 4
    _drop(x.reshape(-1), y.reshape(-1), keep.reshape(-1), np.uint32(threshold(rate)), factor, *words, *place)
    return y, keep


def scale(x: Array, keep: Array, rate: float) -> Array:
    """See `dropout.scale`."""
    check_scale(x, keep, rate)
    x = contiguous(x)
    y = empty_like(x)
    _scale(x.reshape(-1), contiguous(keep).reshape(-1), x.dtype.type(1 / (1 - rate)), y.reshape(-1))
    return y


@njit(parallel=True)
def _drop(x, y, keep, limit, factor, key0, key1, draw0, draw1, start, skip):
    """The first `skip` numbers of counter `start` belong to elements that lie before x."""
    size = x.size + skip
    zero = x.dtype.type(0)
    counters = (size + 3) // 4
    for block in prange((counters + BLOCK - 1) // BLOCK):
        bits, in_order = np.empty((4, TOGETHER), np.uint32), np.empty(4 * TOGETHER, np.uint32)
        for first in range(block * BLOCK, min((block + 1) * BLOCK, counters), TOGETHER):
            _random(bits, start + uint64(first), key0, key1, draw0, draw1)
            for i in range(TOGETHER):
                for word in range(4):
                    in_order[4 * i + word] = bits[word, i]
            at = uintp(4 * first - skip)
            for i in range(uintp(0 if first else skip), uintp(min(4 * TOGETHER, size - 4 * first))):
                kept = in_order[i] >= limit
                keep[at + i] = kept
                y[at + i] = x[at + i] * factor if kept else zero


@njit(nogil=True)
def _random(bits, first, key0, key1, draw0, draw1):
    """Philox for `TOGETHER` counters at once: the compiler turns the loop of each round into vector instructions."""
    for i in range(TOGETHER):
        index = uint64(first) + uint64(i)
        bits[0, i], bits[1, i], bits[2, i], bits[3, i] = uint32(index), uint32(index >> uint64(32)), draw0, draw1
    k0, k1 = key0, key1
    for _ in range(ROUNDS):
        for i in range(TOGETHER):
            a, b = uint64(bits[0, i]) * M0, uint64(bits[2, i]) * M1
            bits[0, i], bits[2, i] = (
                uint32(uint32(b >> uint64(32)) ^ bits[1, i] ^ k0),
                uint32(uint32(a >> uint64(32)) ^ bits[3, i] ^ k1),
            )
            bits[1, i], bits[3, i] = uint32(b), uint32(a)
        k0, k1 = uint32(k0 + W0), uint32(k1 + W1)


@njit(parallel=True)
def _scale(x, keep, factor, y):
    zero = x.dtype.type(0)
    for block in prange((x.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, x.size))):
            y[i] = x[i] * factor if keep[i] else zero
