"""The twin of `matmul.matmul`: the workers share the result in pieces, and each piece is multiplied in registers.

`block_product` reads its second factor along vectors, so that factor must be stored row by row. If it comes transposed,
either it is copied, or the whole product is transposed, (a b)^T = b^T a^T, whichever moves less data. For example, a
dense layer's dx multiplies by a large transposed kernel, and then only the small batch has to be transposed.

A block reads only a few vectors of each row of that factor. If the factor is large, they lie in so many pages of memory
and so few places of the cache that reading them again for the next block takes longer than multiplying. So then each
worker copies its columns to where they lie side by side.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.arguments import check_matrices
from minitorch_cnn.twins.numba.block_product import WIDTHS, fill_up, multiplier, panel_width, product
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.gemm import gemm
from minitorch_cnn.twins.numba.simd import lanes, load, store
from minitorch_cnn.twins.numba.workspace import workspace

ROWS, DEPTH = 96, 1024  # of a piece, small enough for both of its factors to stay in a core's cache
FEW = 8  # rows: with so few, each number of b is hardly used more than once, and BLAS is best at that
PIECES = 16
SPREAD = 512 * 1024  # bytes of the rows that a piece takes its columns from, above which it copies them


def matmul(a: Array, b: Array) -> Array:
    """See `matmul.matmul`."""
    check_matrices(a, b)
    (M, K), N = a.shape, b.shape[1]
    dtype = np.result_type(a, b)
    a, b = (np.require(x, dtype, "W") for x in (a, b))  # as it lies, but not read-only, as in `contiguous`
    if M <= FEW:
        return _with_blas(a, b)
    if not b.flags.c_contiguous and b.flags.f_contiguous and M * (K + N) < K * N:
        return np.ascontiguousarray(matmul(b.T, np.ascontiguousarray(a.T)).T)
    a, row, step, _ = _as_stored(a)
    b = fill_up(np.ascontiguousarray(b), lanes(dtype))
    c = empty((M, b.shape[1]), dtype)
    zeros = np.zeros(WIDTHS[0] * lanes(dtype), dtype)
    copied = min(K, DEPTH) * b.shape[1] * b.itemsize > SPREAD
    room = min(K, DEPTH) * WIDTHS[0] * lanes(dtype) if copied else 0
    scratch = workspace("matmul", (get_num_threads(), room), dtype)
    _matmul(multiplier(dtype), M, K, a, row, step, b.reshape(-1), zeros, c, scratch, lanes(dtype))
    return c if c.shape[1] == N else np.ascontiguousarray(c[:, :N])


def _as_stored(x):
    """(flat array, elements from one row to the next, from one column to the next, whether it is transposed)."""
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return x.T.reshape(-1), 1, x.shape[0], True
    return np.ascontiguousarray(x).reshape(-1), x.shape[1], 1, False


@njit(parallel=True)
def _matmul(multiply, M, K, a, row, step, b, zeros, c, scratch, lanes):
    N, none = c.shape[1], c.dtype.type(-np.inf)
    widest = WIDTHS[0] * lanes
    across = (N + widest - 1) // widest
    c = c.reshape(-1)
    for piece in prange((M + ROWS - 1) // ROWS * across):
        m, n = piece // across * ROWS, piece % across * widest
        rows, end, columns = min(ROWS, M - m), min(n + widest, N), scratch[get_thread_id()]
        while n < end:
            vectors = panel_width((end - n) // lanes)
            panel = vectors * lanes
            for k in range(0, max(K, 1), DEPTH):
                depth = min(DEPTH, K - k)
                factor, at, apart = b, k * N + n, N
                if columns.size > 0:
                    factor, at, apart = columns, 0, panel
                    for i in range(depth):
                        for j in range(0, panel, lanes):
                            store(columns, i * panel + j, load(b, (k + i) * N + n + j))
                to = uintp(m * N + n)
                start, start_at, start_row = (zeros, uintp(0), uintp(0)) if k == 0 else (c, to, uintp(N))
                product(
                    multiply, uintp(rows), uintp(vectors), uintp(1), uintp(depth), a, uintp(m * row + k * step),
                    uintp(row), uintp(0), uintp(step), factor, uintp(at), uintp(0), uintp(apart), start, start_at,
                    start_row, none, c, to, uintp(N),
                )  # fmt: skip
            n += panel


def _with_blas(a, b):
    (M, K), N = a.shape, b.shape[1]
    a, row_a, step_a, transposed_a = _as_stored(a)
    b, row_b, step_b, transposed_b = _as_stored(b)
    c = empty((M, N), a.dtype)
    lda, ldb, columns = max(row_a, step_a), max(row_b, step_b), max(32, -(-N // PIECES))
    _by_columns(M, N, K, a, lda, transposed_a, b, ldb, transposed_b, c.reshape(-1), columns)
    return c


@njit(parallel=True)
def _by_columns(M, N, K, a, lda, transpose_a, b, ldb, transpose_b, c, columns):
    for piece in prange((N + columns - 1) // columns):
        first = piece * columns
        start = first * ldb if transpose_b else first
        gemm(M, min(columns, N - first), K, a, lda, transpose_a, b[start:], ldb, transpose_b, 0.0, c[first:], N)
