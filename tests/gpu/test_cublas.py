"""The call of cuBLAS, number by number: its arguments are read as the library would read them, column by column."""

import ctypes
import types

import numpy as np
import pytest
from engine_helpers import normal
from numpy.lib.stride_tricks import as_strided

import minitorch_cnn as mtc
from minitorch_cnn.errors import BackendError
from minitorch_cnn.twins.cuda import cublas

CALLS = []


def gemm_strided_batched_ex(
    handle, transpose_a, transpose_b, m, n, k, alpha, a, type_a, lda, stride_a, b, type_b, ldb, stride_b, beta, c,
    type_c, ldc, stride_c, batch, compute, algorithm,
):  # fmt: skip
    """C = alpha op(A) op(B) + beta C, all stored column by column, at addresses."""
    kind = {0: ctypes.c_float, 1: ctypes.c_double}[type_c]
    assert type_a == type_b == type_c and algorithm == -1 and handle == "handle"
    CALLS.append(compute)

    def matrices(address, rows, columns, leading, stride):
        assert leading >= rows
        size = (batch - 1) * stride + (columns - 1) * leading + rows
        flat = np.frombuffer((kind * size).from_address(address), dtype=kind)
        item = flat.itemsize
        return as_strided(flat, (batch, rows, columns), (stride * item, item, leading * item))

    left = matrices(a, *((k, m) if transpose_a else (m, k)), lda, stride_a)
    right = matrices(b, *((n, k) if transpose_b else (k, n)), ldb, stride_b)
    result = matrices(c, m, n, ldc, stride_c)
    left = left.transpose(0, 2, 1) if transpose_a else left
    right = right.transpose(0, 2, 1) if transpose_b else right
    result[...] = alpha._obj.value * (left @ right) + (beta._obj.value * result if beta._obj.value else 0)
    return 0


@pytest.fixture
def blas(monkeypatch):
    """The wrapper of the library with the function above in its place; it sees addresses, as on a GPU."""
    found = cublas.Cublas.__new__(cublas.Cublas)
    found.function, found._handle = gemm_strided_batched_ex, lambda: "handle"
    kinds = {np.dtype("float32"): ctypes.c_float, np.dtype("float64"): ctypes.c_double}
    found.scalars = {dtype: {n: ctypes.byref(kind(n)) for n in (0, 1)} for dtype, kind in kinds.items()}
    before = mtc.tf32()
    CALLS.clear()
    yield found
    mtc.tf32(before)


def at_an_address(array):
    return types.SimpleNamespace(dtype=array.dtype, data=types.SimpleNamespace(ptr=array.ctypes.data))


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_of_products(blas, dtype, transposed, add):
    """Rows further apart than they are long, matrices that overlap, and all of them somewhere within their arrays."""
    (M, N, K), batch, offsets = (4, 3, 5), 3, (7, 2, 5)
    shapes = ((K, M) if transposed[0] else (M, K), (N, K) if transposed[1] else (K, N), (M, N))
    leading, strides = (shapes[0][1] + 2, shapes[1][1] + 1, N), (shapes[0][1], 0, M * N)
    a, b, c = (normal(200, seed, dtype) for seed in range(3))

    def stack(x, which):
        size, (rows, columns) = x.itemsize, shapes[which]
        places = (strides[which] * size, leading[which] * size, size)
        return as_strided(x[offsets[which] :], (batch, rows, columns), places)

    left, right, wanted = stack(a, 0), stack(b, 1), c.copy()
    left = left.transpose(0, 2, 1) if transposed[0] else left
    right = right.transpose(0, 2, 1) if transposed[1] else right
    stack(wanted, 2)[...] = left @ right + (stack(c, 2) if add else 0)
    arrays = [at_an_address(array) for array in (a, b, c)]
    blas.gemm(*arrays, (M, N, K), leading, transposed, batch, strides, offsets, add)
    np.testing.assert_allclose(c, wanted, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_the_switch_for_tf32(blas):
    """77 is CUBLAS_COMPUTE_32F_FAST_TF32, 68 is 32F, 70 is 64F; what a gradient check multiplies is never rounded."""
    for dtype, on in [("float32", True), ("float32", False), ("float64", True), ("float64", False)]:
        assert mtc.tf32(on) is on
        arrays = [at_an_address(np.zeros(4, dtype)) for _ in range(3)]
        blas.gemm(*arrays, (2, 2, 2), (2, 2, 2), (False, False), 1, (0, 0, 0), (0, 0, 0), False)
    assert CALLS == [77, 68, 70, 70]
    assert mtc.tf32() is False


def test_a_stream_s_handle_is_destroyed_once(blas):
    destroyed = []
    blas.library = types.SimpleNamespace(cublasDestroy_v2=lambda handle: destroyed.append(handle) or 0)
    blas.handles = {7: ("handle", "workspace"), 8: ("other", "workspace")}
    for stream in (7, 7, 9):
        blas.release(stream)
    assert destroyed == ["handle"] and list(blas.handles) == [8]


def test_a_status_is_an_error(blas):
    blas.function = lambda *arguments: 13
    arrays = [at_an_address(np.zeros(4)) for _ in range(3)]
    with pytest.raises(BackendError, match="cuBLAS: status 13"):
        blas.gemm(*arrays, (2, 2, 2), (2, 2, 2), (False, False), 1, (0, 0, 0), (0, 0, 0), False)


def test_rows_that_overlap_are_refused():
    with pytest.raises(AssertionError, match="rows of 5 numbers of a cannot be 4 apart"):
        cublas.gemm(None, None, None, (4, 3, 5), (4, 3, 3))
