"""im2col in blocks: the twin of `im2col`, whose columns never leave the cache.

Each worker lays out the windows of a few output rows (a few hundred KiB), multiplies them, and reuses the memory. So
the memory does not grow with the image size or the batch. The shapes alone decide how the work is divided, never the
number of threads, so the result has the same bits on one core and on many.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.gemm import gemm
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.workspace import workspace
from minitorch_cnn.twins.window_arguments import check_backward_input, check_backward_kernel, check_forward

BLOCK_BYTES = 256 * 1024  # columns of one block: a fraction of a core's second-level cache
CHUNKS = 16  # independent partial sums of the kernel's gradient
PARTIAL_BYTES = 64 * 1024 * 1024  # at most, for all of them


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, *, relu: bool = False
) -> Array:
    """See `im2col.forward`; bias and ReLU are applied to each block while it is in the cache."""
    OH, OW = check_forward(x, kernel, strides, padding, bias)
    KH, KW, C, K = kernel.shape
    x, kernel, bias = one_type(x, kernel, np.zeros(K, x.dtype) if bias is None else bias)
    y = empty((len(x), OH, OW, K), x.dtype)
    rows = _rows_per_block(OW * KH * KW * C, len(x) * OH, x.itemsize)
    _forward(x, kernel, bias, y, _scratch(rows * OW * KH * KW * C, x.dtype), strides, _corner(padding), relu, rows)
    return y


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.backward_input`; a worker computes whole images, so no two workers add to the same pixel."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    KH, KW, C, _ = kernel.shape
    dy, kernel = one_type(dy, kernel)
    dx = np.zeros(input_shape, dy.dtype)
    rows = _rows_per_block(dy.shape[2] * KH * KW * C, dy.shape[1], dy.itemsize)
    _backward_input(
        dy, kernel, dx, _scratch(rows * dy.shape[2] * KH * KW * C, dy.dtype), strides, _corner(padding), rows
    )
    return dx


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.backward_kernel`; partial sums over chunks of the batch are added up in a fixed order."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
    KH, KW, C, K = kernel_shape
    x, dy = one_type(x, dy)
    N, OH, OW, _ = dy.shape
    rows = _rows_per_block(OW * KH * KW * C, N * OH, x.itemsize)
    kernel_bytes = KH * KW * C * K * x.itemsize
    chunks = max(1, min(CHUNKS, -(-N * OH // rows), PARTIAL_BYTES // kernel_bytes))
    partial = np.zeros((chunks, KH * KW * C, K), x.dtype)
    _backward_kernel(
        x, dy, partial, _scratch(rows * OW * KH * KW * C, x.dtype), (KH, KW), strides, _corner(padding), rows
    )
    return partial.sum(axis=0).reshape(kernel_shape)


def _scratch(elements, dtype):
    """A row of `elements` for each worker: the columns of its current block."""
    return workspace("im2col", (get_num_threads(), elements), dtype)


def _corner(padding):
    """How far above and left of the image the first window begins, in pixels."""
    return padding[0][0], padding[1][0]


def _rows_per_block(elements_per_row, all_rows, itemsize):
    return max(1, min(all_rows, BLOCK_BYTES // (elements_per_row * itemsize)))


@njit(nogil=True)
def _fill(columns, x, size, first, last, out, window, strides, corner):
    """Write the windows of the output rows first..last-1 (row r is row r % OH of image r // OH) to `columns`.

    Both arrays are flat, and positions are unsigned integers computed by hand, because that is six times as fast: with
    a slice per window the workers would wait for each other at the array's reference count, and a signed index might
    count from the end, which keeps the compiler from copying 16 floats at a time.
    """
    (H, W, C), (OH, OW), (KH, KW), (SH, SW), (top, left) = size, out, window, strides, corner
    span = KW * C  # the KW taps of a kernel row are neighbours in memory
    to = uintp(0)
    for r in range(first, last):
        n = r // OH
        i = r - n * OH
        for j in range(OW):
            w = j * SW - left
            for p in range(KH):
                h = i * SH - top + p
                if h < 0 or h >= H:
                    _zero(columns, to, span)
                else:
                    before = min(max(0, -w) * C, span)
                    after = max(min(KW, W - w) * C, before)
                    _zero(columns, to, before)
                    source, target = uintp(((n * H + h) * W + w) * C + before), to + uintp(before)
                    for c in range(uintp(after - before)):
                        columns[target + c] = x[source + c]
                    _zero(columns, to + uintp(after), span - after)
                to += uintp(span)


@njit(nogil=True, inline="always")
def _zero(columns, start, count):
    for c in range(uintp(count)):
        columns[start + c] = 0


@njit(nogil=True)
def _add_back(dx, dcolumns, size, n, first, last, out, window, strides, corner):
    """col2im of the output rows first..last-1 of image n: the transpose of `_fill`, adding instead of copying."""
    (H, W, C), (_, OW), (KH, KW), (SH, SW), (top, left) = size, out, window, strides, corner
    at = 0
    for i in range(first, last):
        for j in range(OW):
            w = j * SW - left
            q_first, q_last = max(0, -w), min(KW, W - w)
            for p in range(KH):
                h = i * SH - top + p
                if 0 <= h < H and q_first < q_last:
                    to, source = uintp(((n * H + h) * W + w + q_first) * C), uintp(at + q_first * C)
                    for c in range(uintp((q_last - q_first) * C)):
                        dx[to + c] += dcolumns[source + c]
                at += KW * C


@njit(parallel=True)
def _forward(x, kernel, bias, y, scratch, strides, corner, relu, rows):
    N, OH, OW, K = y.shape
    KH, KW, C, _ = kernel.shape
    D = KH * KW * C
    size = x.shape[1:]
    x, kernel, y = x.reshape(-1), kernel.reshape(-1), y.reshape(-1)
    zero = y.dtype.type(0)
    for block in prange(-(-N * OH // rows)):
        first = block * rows
        last = min(first + rows, N * OH)
        columns = scratch[get_thread_id()]
        _fill(columns, x, size, first, last, (OH, OW), (KH, KW), strides, corner)
        M = (last - first) * OW
        at = uintp(first * OW * K)
        gemm(M, K, D, columns, D, False, kernel, K, False, 0.0, y[at:], K)
        for _ in range(M):
            for k in range(uintp(K)):
                value = y[at + k] + bias[k]
                y[at + k] = max(value, zero) if relu else value
            at += uintp(K)


@njit(parallel=True)
def _backward_input(dy, kernel, dx, scratch, strides, corner, rows):
    N, OH, OW, K = dy.shape
    KH, KW, C, _ = kernel.shape
    D = KH * KW * C
    size = dx.shape[1:]
    dy, kernel, dx = dy.reshape(-1), kernel.reshape(-1), dx.reshape(-1)
    for n in prange(N):
        dcolumns = scratch[get_thread_id()]
        for first in range(0, OH, rows):
            last = min(first + rows, OH)
            gemm(
                (last - first) * OW, D, K, dy[(n * OH + first) * OW * K :], K, False, kernel, K, True, 0.0, dcolumns, D
            )
            _add_back(dx, dcolumns, size, n, first, last, (OH, OW), (KH, KW), strides, corner)


@njit(parallel=True)
def _backward_kernel(x, dy, partial, scratch, window, strides, corner, rows):
    N, OH, OW, K = dy.shape
    chunks, D, _ = partial.shape
    size = x.shape[1:]
    x, dy, partial = x.reshape(-1), dy.reshape(-1), partial.reshape(-1)
    per_chunk = -(-N * OH // chunks)
    for chunk in prange(chunks):
        columns = scratch[get_thread_id()]
        end = min((chunk + 1) * per_chunk, N * OH)
        for first in range(chunk * per_chunk, end, rows):
            last = min(first + rows, end)
            _fill(columns, x, size, first, last, (OH, OW), window, strides, corner)
            M = (last - first) * OW
            gemm(D, K, M, columns, D, True, dy[first * OW * K :], K, False, 1.0, partial[chunk * D * K :], K)
