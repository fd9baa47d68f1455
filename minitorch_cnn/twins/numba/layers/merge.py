"""The twin of `merge.add`: one pass by all workers, and with a ReLU in the same pass."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty_like
from minitorch_cnn.twins.arguments import check_reals
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type

BLOCK = 16384  # elements that a worker takes at a time


def add(x1: Array, x2: Array, *, relu: bool = False) -> Array:
    """See `merge.add`; with `relu`, negative sums become 0."""
    check_reals(x1, x2)
    x1, x2 = one_type(*np.broadcast_arrays(x1, x2))
    y = empty_like(x1)
    _add(x1.reshape(-1), x2.reshape(-1), y.dtype.type(0 if relu else -np.inf), y.reshape(-1))
    return y


@njit(parallel=True)
def _add(x1, x2, floor, y):
    for block in prange((y.size + BLOCK - 1) // BLOCK):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, y.size))):
            value = x1[i] + x2[i]
            y[i] = floor if value < floor else value
