"""The twin of `reductions.channel_sum`: workers sum stripes of rows, and the sums of the stripes are added up."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.twins.arguments import check_reals
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.rows import added, fold, stripe_length, tiles


def channel_sum(x: Array) -> Array:
    """See `reductions.channel_sum`."""
    check_reals(x)
    (x,) = one_type(x)
    C, length = x.shape[-1], stripe_length(x)
    partial = np.empty((-(-x.size // (length * C)), C), x.dtype)
    row_sums(x.reshape(-1), C, tiles(C), length, partial)
    return added(partial)


@njit(parallel=True)
def row_sums(x, C, together, length, partial):
    """partial (stripes, C) = the sums of each stripe of `length` rows of x; `together` rows are taken as one."""
    W, step = uintp(together * C), length * C
    for stripe in prange(len(partial)):
        first, last = uintp(stripe * step), uintp(min((stripe + 1) * step, x.size))
        sums = np.zeros(W, x.dtype)
        for at in range(first, last, W):
            for k in range(min(W, last - at)):
                sums[k] += x[at + k]
        fold(sums, C, partial[stripe])
