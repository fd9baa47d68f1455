"""Sums of partial sums, in a fixed order."""

from numba import prange

from minitorch_cnn.twins.numba.compiled import njit

FEW = 2**17  # numbers: with so few, waking the other workers takes longer than adding


def add_up(partial, total):
    """total (D,) = the sum of the rows of partial (chunks, D), in order."""
    (_add_all if partial.size <= FEW else _add_in_blocks)(partial, total)


@njit(nogil=True)
def _add_all(partial, total):
    _add(partial, total, 0, total.size)


@njit(parallel=True)
def _add_in_blocks(partial, total):
    block = 4096
    for piece in prange((total.size + block - 1) // block):
        _add(partial, total, piece * block, min((piece + 1) * block, total.size))


@njit(nogil=True)
def _add(partial, total, first, last):
    for d in range(first, last):
        total[d] = partial[0, d]
    for chunk in range(1, len(partial)):
        for d in range(first, last):
            total[d] += partial[chunk, d]
