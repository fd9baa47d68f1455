"""A matrix product that compiled code can call on a block of a larger array: C = A B + beta C.

Numba's `np.dot` makes a new array for every product. This is the same BLAS call under it (`gemm`, from SciPy's
OpenBLAS), with the two things a blocked algorithm needs: it adds to what is already there, and its operands may be
any rows of a larger matrix (`lda` is the distance from one row to the next, in elements).
"""

import numpy as np
from numba import njit, types

from minitorch_cnn.twins.numba.threads import one_blas_thread

one_blas_thread()

# The symbol that Numba's own np.dot is compiled to:
# (kind, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc).
_xxgemm = types.ExternalFunction(
    "numba_xxgemm",
    types.intc(
        types.char, types.char, types.char, types.intp, types.intp, types.intp, types.voidptr, types.voidptr,
        types.intp, types.voidptr, types.intp, types.voidptr, types.voidptr, types.intp,
    ),
)  # fmt: skip
_NO, _YES = ord("n"), ord("t")
_SINGLE, _DOUBLE = ord("s"), ord("d")


@njit(cache=True, nogil=True)
def gemm(m, n, k, a, lda, transpose_a, b, ldb, transpose_b, beta, c, ldc):
    """c[m, n] = a[m, k] @ b[k, n] + beta * c, row-major; `a`, `b`, `c` are arrays that begin at the first element.

    With `transpose_a`, `a` is stored as (k, m); with `transpose_b`, `b` is stored as (n, k).
    """
    factors = np.empty(2, c.dtype)
    factors[0], factors[1] = 1, beta
    kind = _SINGLE if c.itemsize == 4 else _DOUBLE
    # BLAS counts columns first: the row-major product is the column-major one of the exchanged operands.
    _xxgemm(
        kind, _YES if transpose_b else _NO, _YES if transpose_a else _NO, n, m, k, factors[:1].ctypes, b.ctypes, ldb,
        a.ctypes, lda, factors[1:].ctypes, c.ctypes, ldc,
    )  # fmt: skip
