"""How the rows of x (..., C) are divided where something is summed for each channel.

The numbers of a channel are C apart, so a row of C numbers is added to C sums at a time. If C is small, several rows
are taken as one longer row (`tiles`), or the additions would wait for each other. Rows are summed in stripes, whose
length follows from the shapes alone, so the bits do not depend on the threads.
"""

import numpy as np
from numba import uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.twins.numba.compiled import njit

STRIPE_BYTES = 128 * 1024  # of a stripe, which may be read twice, from the cache the second time
SHORTEST = 64  # rows of a stripe at least, so that there are fewer sums than numbers
WIDE = 128  # numbers of a row at least, several rows together


def tiles(C: int) -> int:
    """How many rows of C numbers are taken as one."""
    return max(1, WIDE // C)


def stripe_length(x: Array) -> int:
    """Rows of a stripe of x (..., C), a multiple of `tiles(C)`."""
    C = x.shape[-1]
    return -(-max(SHORTEST, STRIPE_BYTES // (C * x.itemsize)) // tiles(C)) * tiles(C)


@njit(nogil=True)
def repeated(vector, together):
    """The vector (C,), as often as there are rows in a longer one: (together*C,)."""
    many = np.empty(together * vector.size, vector.dtype)
    for at in range(uintp(0), uintp(many.size), uintp(vector.size)):
        for c in range(uintp(vector.size)):
            many[at + c] = vector[c]
    return many


@njit(nogil=True)
def added(partial):
    """total (D,) = the sum of the rows of partial (stripes, D), in order; for few numbers, on one worker."""
    stripes, D = partial.shape
    total = np.zeros(D, partial.dtype)
    for stripe in range(uintp(stripes)):
        for d in range(uintp(D)):
            total[d] += partial[stripe, d]
    return total


@njit(nogil=True)
def fold(sums, C, total):
    """total (C,) = the sums of `tiles(C)` rows, which lie one after the other in `sums`, added up."""
    for c in range(uintp(C)):
        total[c] = sums[c]
    for at in range(uintp(C), uintp(sums.size), uintp(C)):
        for c in range(uintp(C)):
            total[c] += sums[at + c]
