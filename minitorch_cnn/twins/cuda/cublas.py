"""Matrix products on the GPU: one function of cuBLAS, called directly.

CuPy's own products refuse to run while a stream captures a CUDA graph, as the training step does. cuBLAS itself allows
it, so its function for all matrix products, `cublasGemmStridedBatchedEx`, is called here.

TF32: tensor cores round float32 numbers to 10 bits of mantissa, multiply them, and add up in float32. An H100 does that
about seven times faster than in full precision, with a relative error of about 1e-3. TF32 is on by default, as for
PyTorch's convolutions; `tf32(False)` turns it off. Products of float64, as in every gradient check, never use it.
"""

import ctypes
import functools
from types import ModuleType
from typing import Any

import numpy as np

from minitorch_cnn.arrays.libraries import Array, namespace
from minitorch_cnn.errors import BackendError

WORKSPACE = 32 << 20  # bytes; allocated here, so that a captured graph allocates nothing
REAL = {np.dtype("float32"): 0, np.dtype("float64"): 1}  # CUDA_R_32F, CUDA_R_64F
EXACT = {np.dtype("float32"): 68, np.dtype("float64"): 70}  # CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F
FAST_TF32 = 77  # CUBLAS_COMPUTE_32F_FAST_TF32
DEFAULT_ALGORITHM = -1
MOST = 2**31 - 1  # a size that cuBLAS can be given
TILE = 128  # rows and columns of a product that one block of threads usually computes
BLOCKS = 264  # two for each multiprocessor of an H100
MOST_PIECES, LEAST_ROWS = 96, 128  # of a sum, and of a piece of it

_state = {"tf32": True}


def tf32(on: bool | None = None) -> bool:
    """Whether float32 products on the GPU may use TF32, after setting it to `on` unless that is None.

    A step that has been captured already keeps the setting of that time.
    """
    if on is not None:
        _state["tf32"] = bool(on)
    return _state["tf32"]


def gemm(
    a: Array, b: Array, c: Array, sizes: tuple, leading: tuple, *, transposed: tuple = (False, False), batch: int = 1,
    strides: tuple = (0, 0, 0), offsets: tuple = (0, 0, 0), add: bool = False,
) -> None:  # fmt: skip
    """Compute c = a @ b, or c += a @ b with `add`, for each of a `batch` of matrices inside the arrays a, b and c.

    Arguments: `sizes` (M, N, K) of c (M, N), a (M, K) and b (K, N); for each of a, b and c, `leading` is the distance
    from one row to the next, `strides` the distance from one matrix to the next, and `offsets` the position of the
    first, all in elements; `transposed` says whether a is stored as (K, M) and b as (N, K). Matrices that are read may
    overlap, but the rows of one matrix may not: `leading` is at least a row's length, as cuBLAS requires.
    """
    M, N, K = sizes
    for name, number, least in zip("abc", leading, (M if transposed[0] else K, K if transposed[1] else N, N)):
        assert number >= least, f"gemm: rows of {least} numbers of {name} cannot be {number} apart"
    if (largest := max(*sizes, *leading, batch)) > MOST:
        raise BackendError(f"cuBLAS: sizes of at most {MOST}, got {largest}; take a smaller batch")
    if M and N and batch:
        library(namespace(c)).gemm(a, b, c, sizes, leading, transposed, batch, strides, offsets, add)


def product(a: Array, b: Array, out: Array | None = None, add: bool = False) -> Array:
    """A (M, K) @ b (K, N), written to `out` (M, N) if given, or added to it; either may be a transposed view."""
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


def pieces(M: int, N: int, rows: int) -> int:
    """In how many pieces the sum over so many `rows` of a product (M, N) keeps the whole GPU busy.

    A block of threads computes one tile of the product, and there are often few tiles but long sums.
    """
    tiles = -(-M // TILE) * -(-N // TILE)
    return max(1, min(-(-BLOCKS // tiles), MOST_PIECES, rows // LEAST_ROWS))


def product_in_pieces(a: Array, b: Array) -> Array:
    """a.T @ b of C-contiguous a (R, M) and b (R, N) as matrices (pieces, M N), whose sum it is; R is not 0."""
    (R, M), N = a.shape, b.shape[1]
    count = pieces(M, N, R)
    each = R // count
    rest = R - each * count
    partial = namespace(a).empty((count + (rest > 0), M * N), dtype=a.dtype)
    strides, leading = (each * M, each * N, M * N), (M, N, N)
    gemm(a, b, partial, (M, N, each), leading, transposed=(True, False), batch=count, strides=strides)
    if rest:
        offsets = each * count * M, each * count * N, count * M * N
        gemm(a, b, partial, (M, N, rest), leading, transposed=(True, False), offsets=offsets)
    return partial


def _as_stored(x):
    """(C-contiguous array as it is stored, whether that is the transpose)."""
    if x.flags.c_contiguous:
        return x, False
    if x.flags.f_contiguous:
        return x.T, True
    return namespace(x).ascontiguousarray(x), False


@functools.cache
def library(xp: ModuleType) -> Any:
    """The library that `gemm` calls for arrays of the namespace `xp`."""
    return Cublas(xp)


class Cublas:
    """cuBLAS, called through ctypes; every stream has its own handle and workspace."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self.handles: dict = {}
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

    def gemm(
        self, a: Any, b: Any, c: Any, sizes: tuple, leading: tuple, transposed: tuple, batch: int, strides: tuple,
        offsets: tuple, add: bool,
    ) -> None:  # fmt: skip
        """See `cublas.gemm`. cuBLAS is column-major, so it computes c.T = b.T @ a.T, which is the same memory."""
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

    def release(self, stream: int) -> None:
        """Free the handle and the workspace of the stream at that address, if it has any; waits for its work."""
        if stream in self.handles:
            handle, _ = self.handles.pop(stream)
            _check(self.library.cublasDestroy_v2(handle))

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
        raise BackendError(f"cuBLAS: status {status}; 3 means out of memory, 13 a failed launch")
