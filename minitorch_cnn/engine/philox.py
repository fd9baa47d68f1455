"""Random bits by counting: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

Block i of a stream is a function of i and a key alone. So every backend and any number of threads draw the same bits,
and a checkpoint needs to store only the counter.
"""

from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
_LOW = 0xFFFFFFFF


def philox(counter: tuple, key: tuple, xp: Any = np) -> tuple:
    """Four uint32 arrays of random bits for a counter of four and a key of two numbers or uint32 arrays."""
    c0, c1, c2, c3 = (xp.asarray(c, dtype=xp.uint64) for c in counter)
    k0, k1 = key
    for _ in range(ROUNDS):
        a, b = c0 * xp.uint64(MULTIPLIERS[0]), c2 * xp.uint64(MULTIPLIERS[1])
        shift, low = xp.uint64(32), xp.uint64(_LOW)
        c0, c1, c2, c3 = (b >> shift) ^ c1 ^ xp.uint64(k0), b & low, (a >> shift) ^ c3 ^ xp.uint64(k1), a & low
        k0, k1 = (k0 + KEY_STEPS[0]) & _LOW, (k1 + KEY_STEPS[1]) & _LOW
    return tuple(c.astype(xp.uint32) for c in (c0, c1, c2, c3))


def random_bits(size: int, key: tuple, draw: Any, xp: Any = np, first: int = 0) -> Array:
    """`size` uint32 of stream `key` (two numbers), from position `first` on; each `draw` is different."""
    index = xp.arange(first // 4, -(-(first + size) // 4), dtype=xp.uint64)
    counter = (index & xp.uint64(_LOW), index >> xp.uint64(32), draw & _LOW, draw >> 32)
    bits = xp.stack(xp.broadcast_arrays(*philox(counter, key, xp)), axis=1).reshape(-1)
    return bits[first % 4 :][:size]
