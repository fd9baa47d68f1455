"""The twin of `epilogue.bias_relu_backward`: mask and sums in one pass over the array."""

import numpy as np
from numba import njit, prange, uintp

from minitorch_cnn.backend.gemm_numba import one_type
from minitorch_cnn.backend.reductions import STRIPES

SHORTEST = 64  # rows of a stripe


def bias_relu_backward(dy, y):
    """See `epilogue.bias_relu_backward`; sums of stripes first, which do not depend on the threads."""
    dy, y = one_type(dy, y)
    K, dscores = dy.shape[-1], np.empty_like(dy)
    rows = dy.size // K
    length = max(SHORTEST, -(-rows // STRIPES))
    partial = np.empty((-(-rows // length), K), dy.dtype)
    _bias_relu_backward(dy.reshape(-1), y.reshape(-1), dscores.reshape(-1), partial, length)
    return dscores, partial.sum(axis=0)


@njit(cache=True, parallel=True)
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
