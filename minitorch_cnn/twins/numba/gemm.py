"""A matrix product that compiled code can call on a block of a larger array: C = A B + beta C.

Numba's `np.dot` allocates a new array for every product. This calls the same BLAS function (`gemm`, from SciPy's
OpenBLAS) but allows the two things that a blocked algorithm needs: it can add to what C already contains, and its
operands may be any rows of a larger matrix (`lda` is the distance from one row to the next, in elements).
"""

import numpy as np
from numba import types

from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.threads import one_blas_thread

one_blas_thread()

# The function that Numba's own np.dot calls:
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


@njit(nogil=True)
def gemm(m, n, k, a, lda, transpose_a, b, ldb, transpose_b, beta, c, ldc):
    """c[m, n] = a[m, k] @ b[k, n] + beta * c, row-major; the arrays `a`, `b`, `c` begin at their first element.

    With `transpose_a`, `a` is stored as (k, m); with `transpose_b`, `b` is stored as (n, k).
    """
    factors = np.empty(2, c.dtype)
    factors[0], factors[1] = 1, beta
    kind = _SINGLE if c.itemsize == 4 else _DOUBLE
    # BLAS is column-major, and a row-major product is the column-major product with the operands swapped.
    _xxgemm(
        kind, _YES if transpose_b else _NO, _YES if transpose_a else _NO, n, m, k, factors[:1].ctypes, b.ctypes, ldb,
        a.ctypes, lda, factors[1:].ctypes, c.ctypes, ldc,
    )  # fmt: skip
