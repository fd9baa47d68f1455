"""The twin of `activations.relu_backward`: mask and product in one pass."""

import numpy as np
from numba import njit, prange, uintp

from minitorch_cnn.arrays import Array

BLOCK = 16384  # elements that a worker takes at a time


def relu_backward(dy: Array, y: Array) -> Array:
    """See `activations.relu_backward`."""
    dx = np.empty_like(dy, order="C")
    _relu_backward(np.ascontiguousarray(dy).reshape(-1), np.ascontiguousarray(y).reshape(-1), dx.reshape(-1))
    return dx


@njit(cache=True, parallel=True)
def _relu_backward(dy, y, dx):
    zero = dx.dtype.type(0)
    for block in prange(-(-dx.size // BLOCK)):
        for i in range(uintp(block * BLOCK), uintp(min((block + 1) * BLOCK, dx.size))):
            dx[i] = dy[i] if y[i] > zero else zero
