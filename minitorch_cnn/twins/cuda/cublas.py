"""Matrix products on the GPU: one function of cuBLAS, called directly.

CuPy's own products refuse to run while a stream captures a CUDA graph, and the engine's training step is one. The
library itself does not mind; so the one function that does all of it, `cublasGemmStridedBatchedEx`, is called here.

TF32: tensor cores multiply float32 numbers that were rounded to 10 bits behind the point, and add up in float32; an
H100 does so about seven times faster than in full precision, and a result is off by about 1e-3 of its size. It is on,
as it is for PyTorch's convolutions; `tf32(False)` switches it off. Products of float64, and so every gradient check,
never use it.
"""

import ctypes
import functools

import numpy as np

from minitorch_cnn.arrays.libraries import namespace
from minitorch_cnn.errors import BackendError

WORKSPACE = 32 << 20  # bytes; of our own, so that nothing is allocated within a captured graph
REAL = {np.dtype("float32"): 0, np.dtype("float64"): 1}  # CUDA_R_32F, CUDA_R_64F
EXACT = {np.dtype("float32"): 68, np.dtype("float64"): 70}  # CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F
FAST_TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32
DEFAULT_ALGORITHM = -1

_state = {"tf32": True}


def tf32(on=None):
    """Whether float32 products on the GPU may use TF32; True or False sets it. A step captured before keeps its own."""
    if on is not None:
        _state["tf32"] = bool(on)
    return _state["tf32"]


def gemm(
    a, b, c, sizes, leading, *, transposed=(False, False), batch=1, strides=(0, 0, 0), offsets=(0, 0, 0), add=False
):
    """c = a @ b, or c += a @ b with `add`: for each of a `batch` of matrices within the arrays a, b and c.

    Arguments: `sizes` (M, N, K) of c (M, N), a (M, K) and b (K, N); `leading`, how many numbers it is from one row to
    the next, in each of a, b and c; `transposed`, whether a lies there as (K, M), b as (N, K); `strides`, how many
    numbers it is from one matrix to the next; `offsets`, where the first ones begin. Matrices to be read may overlap,
    but the rows of one may not: `leading` is at least a row's length, as cuBLAS demands.
    """
    M, N, K = sizes
    for name, number, least in zip("abc", leading, (M if transposed[0] else K, K if transposed[1] else N, N)):
        assert number >= least, f"gemm: rows of {least} numbers of {name} cannot be {number} apart"
    if M and N and batch:
        library(namespace(c)).gemm(a, b, c, sizes, leading, transposed, batch, strides, offsets, add)


def product(a, b, out=None, add=False):
    """(M, N) = a (M, K) @ b (K, N), of one type; either may be a transposed view."""
    xp = namespace(a)
    (a, turned_a), (b, turned_b) = _as_stored(a), _as_stored(b)
    (M, K), N = (a.shape[::-1] if turned_a else a.shape), b.shape[0 if turned_b else 1]
    c = xp.empty((M, N), dtype=a.dtype) if out is None else out
    if K == 0:
        if not add:
            c.fill(0)
        return c
    gemm(a, b, c, (M, N, K), (a.shape[1], b.shape[1], N), transposed=(turned_a, turned_b), add=add)
    return c


def _as_stored(x):
    """(array as it lies in memory, row by row; whether that is transposed)."""
    if x.flags.c_contiguous:
        return x, False
    if x.flags.f_contiguous:
        return x.T, True
    return namespace(x).ascontiguousarray(x), False


@functools.cache
def library(xp):
    """The library behind `gemm` for the arrays of a namespace."""
    return Cublas(xp)


class Cublas:
    """cuBLAS through ctypes, a handle with a workspace for every stream."""

    def __init__(self, cupy):
        self.cupy, self.handles = cupy, {}
        cupy.cuda.device.get_cublas_handle()  # CuPy finds and loads the library
        name = f"libcublas.so.{cupy.cuda.runtime.runtimeGetVersion() // 1000}"
        try:
            self.library = ctypes.CDLL(name)
        except OSError as error:
            raise BackendError(f"cuBLAS: cannot be loaded ({error}); it comes with CuPy's extra [ctk]") from None
        P, N, Q = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
        self.library.cublasSetStream_v2.argtypes = [P, P]
        self.library.cublasSetWorkspace_v2.argtypes = [P, P, ctypes.c_size_t]
        self.function = self.library.cublasGemmStridedBatchedEx
        self.function.argtypes = [P, N, N, N, N, N, P, P, N, N, Q, P, N, N, Q, P, P, N, N, Q, N, N, N]
        self.scalars = {
            dtype: {number: ctypes.byref(kind(number)) for number in (0, 1)}
            for dtype, kind in ((np.dtype("float32"), ctypes.c_float), (np.dtype("float64"), ctypes.c_double))
        }

    def gemm(self, a, b, c, sizes, leading, transposed, batch, strides, offsets, add):
        """See `cublas.gemm`. cuBLAS counts along columns, so it is given c.T = b.T @ a.T, which is the same memory."""
        (M, N, K), dtype = sizes, c.dtype
        real, scalar = REAL[dtype], self.scalars[dtype]
        compute = FAST_TF32 if tf32() and dtype == np.float32 else EXACT[dtype]
        at_a, at_b, at_c = (x.data.ptr + offset * dtype.itemsize for x, offset in zip((a, b, c), offsets))
        _check(
            self.function(
                self._handle(), int(transposed[1]), int(transposed[0]), N, M, K, scalar[1],
                at_b, real, leading[1], strides[1], at_a, real, leading[0], strides[0],
                scalar[1 if add else 0], at_c, real, leading[2], strides[2], batch, compute, DEFAULT_ALGORITHM,
            )
        )  # fmt: skip

    def _handle(self):
        """The handle of the current stream."""
        stream = self.cupy.cuda.get_current_stream().ptr
        if stream not in self.handles:
            handle = ctypes.c_void_p()
            _check(self.library.cublasCreate_v2(ctypes.byref(handle)))
            workspace = self.cupy.empty(WORKSPACE, dtype="uint8")
            _check(self.library.cublasSetStream_v2(handle, stream))
            _check(self.library.cublasSetWorkspace_v2(handle, workspace.data.ptr, WORKSPACE))  # after SetStream
            self.handles[stream] = handle, workspace
        return self.handles[stream][0]


def _check(status):
    if status:
        raise BackendError(f"cuBLAS: status {status}; out of memory is 3, a failed launch 13")
