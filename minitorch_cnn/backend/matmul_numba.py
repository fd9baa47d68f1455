"""The twin of `matmul.matmul`: the result in pieces, for one set of threads to share."""

import numpy as np
from numba import njit, prange

from minitorch_cnn.backend.gemm_numba import gemm

PIECES = 16
LEAST = 32  # rows or columns of the result in a piece


def matmul(a, b):
    """See `matmul.matmul`."""
    (M, K), N = a.shape, b.shape[1]
    if a.dtype != b.dtype:
        a, b = (x.astype(np.result_type(a, b), copy=False) for x in (a, b))
    a, lda, transpose_a = _as_stored(a)
    b, ldb, transpose_b = _as_stored(b)
    c = np.empty((M, N), a.dtype)
    by_rows = M >= N or M >= 2 * LEAST
    length = M if by_rows else N
    piece = max(LEAST, -(-length // PIECES))
    _matmul(M, N, K, a, lda, transpose_a, b, ldb, transpose_b, c.reshape(-1), by_rows, piece)
    return c


def _as_stored(x):
    """(flat array, distance between its stored rows, whether it is stored transposed)."""
    if x.flags.c_contiguous:
        return x.reshape(-1), x.shape[1], False
    if x.flags.f_contiguous:
        return x.T.reshape(-1), x.shape[0], True
    return np.ascontiguousarray(x).reshape(-1), x.shape[1], False


@njit(cache=True, parallel=True)
def _matmul(M, N, K, a, lda, transpose_a, b, ldb, transpose_b, c, by_rows, piece):
    length = M if by_rows else N
    for index in prange((length + piece - 1) // piece):
        first = index * piece
        count = min(piece, length - first)
        if by_rows:
            start = first if transpose_a else first * lda
            gemm(count, N, K, a[start:], lda, transpose_a, b, ldb, transpose_b, 0.0, c[first * N :], N)
        else:
            start = first * ldb if transpose_b else first
            gemm(M, count, K, a, lda, transpose_a, b[start:], ldb, transpose_b, 0.0, c[first:], N)
