"""Sums of partial sums, in a fixed order."""

from numba import prange

from minitorch_cnn.twins.numba.compiled import njit


@njit(parallel=True)
def add_up(partial, total):
    """total (D,) = the sum of the rows of partial (chunks, D), in order."""
    chunks, D = partial.shape
    block = 4096
    for piece in prange((D + block - 1) // block):
        first, last = piece * block, min((piece + 1) * block, D)
        for d in range(first, last):
            total[d] = partial[0, d]
        for chunk in range(1, chunks):
            for d in range(first, last):
                total[d] += partial[chunk, d]
