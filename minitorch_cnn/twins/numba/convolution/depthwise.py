"""The twin of `depthwise`: vectors run along the channels, and the sums of several pixels stay in registers.

Reading and writing take longer than multiplying here, so everything is done in one pass: a worker copies a band of
image rows with its padding to memory that stays in its core's cache, and writes each result once, with bias and
activation applied. The gradient of the input is a convolution too, of dy with the kernel turned around; with strides it
is several, one for each place between two windows.
"""

from collections.abc import Iterator
from math import gcd

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.convolution.geometry import window_reach
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.convolution.row_windows import copy_rows
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.simd import lanes
from minitorch_cnn.twins.numba.sums import add_up
from minitorch_cnn.twins.numba.window_sums import add_taps, filter_windows, filtering, tapping, tile
from minitorch_cnn.twins.numba.workspace import workspace
from minitorch_cnn.twins.window_arguments import check_depthwise, check_depthwise_input, check_depthwise_kernel

BAND_BYTES = 512 * 1024  # of image rows that a worker holds: a part of its core's second-level cache
COLUMN_BYTES = 32 * 1024  # of the rows that a window sees: a part of the first-level cache
CHUNKS = 64  # independent partial sums of the kernel's gradient


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, dilation: tuple, bias: Array | None = None, *,
    relu: bool = False, scale: Array | None = None, ceiling: float = np.inf,
) -> Array:  # fmt: skip
    """See `depthwise.forward`; bias and ReLU are applied while the result is still in registers.

    With a `scale` (C*M,) the sums are multiplied by it before the bias. No result is larger than `ceiling`.
    """
    out = check_depthwise(x, kernel, strides, padding, dilation, bias, scale)
    *_, C, M = kernel.shape
    K = C * M
    x, kernel, bias = one_type(_repeated(x, M), kernel, np.zeros(K, x.dtype) if bias is None else bias)
    kernel = kernel.reshape(*kernel.shape[:2], K)
    kernel = kernel if scale is None else kernel * scale.astype(x.dtype, copy=False)
    y = empty((len(x), *out, K), x.dtype)
    corner = padding[0][0], padding[1][0]
    _convolve(x, kernel, bias, y, out, strides, dilation, corner, (0, 0), (1, 1), 0 if relu else -np.inf, ceiling)
    return y


def backward_input(
    dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple, dilation: tuple
) -> Array:
    """See `depthwise.backward_input`.

    Pixel h of x is seen by the taps p with h + top = i*SH + p*DH, so every SH-th pixel has the same taps: there dx is a
    convolution of dy at stride 1 with these taps, last one first.
    """
    check_depthwise_input(dy, kernel, input_shape, strides, padding, dilation)
    *window, C, M = kernel.shape
    dy, kernel = one_type(dy, kernel)
    kernel = kernel.reshape(*window, C * M)
    corner = padding[0][0], padding[1][0]
    rows, columns = (list(_places(*axis)) for axis in zip(input_shape[1:3], window, strides, dilation, corner))
    seen = len(rows) == strides[0] and len(columns) == strides[1]
    dx = empty((*input_shape[:3], C * M), dy.dtype)
    if not seen:
        dx[...] = 0
    none = np.zeros(C * M, dy.dtype)
    for row in rows:
        for column in columns:
            first, out, taps, apart, corner = zip(row, column)
            some = np.ascontiguousarray(kernel[taps])
            _convolve(dy, some, none, dx, out, (1, 1), apart, corner, first, strides)
    return dx if M == 1 else dx.reshape(*input_shape, M).sum(axis=-1)


def _places(length: int, window: int, stride: int, dilation: int, before: int) -> Iterator[tuple]:
    """(first, out, taps, apart, corner) for each place between two windows that some taps see, along one axis.

    Pixels first, first + stride, ... of x, `out` of them, are seen by `taps`, a slice of the window, last one first.
    The last one meets pixel `first` in row -`corner` of dy, and the others in every `apart`th row after it.
    """
    every = stride // gcd(stride, dilation)
    for p in range(min(window, every)):
        first = (p * dilation - before) % stride
        last = p + (window - 1 - p) // every * every
        taps = slice(last, p - 1 if p else None, -every)
        corner = (last * dilation - before - first) // stride
        if first < length:
            yield first, -(-(length - first) // stride), taps, every * dilation // stride, corner


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple, dilation: tuple) -> Array:
    """See `depthwise.backward_kernel`; partial sums over chunks of rows are added up in a fixed order."""
    check_depthwise_kernel(x, dy, kernel_shape, strides, padding, dilation)
    KH, KW, C, M = kernel_shape
    x, dy = one_type(_repeated(x, M), dy)
    x, dy = _wide_enough(x), _wide_enough(dy)
    N, OH, OW, K = dy.shape
    L = lanes(x.dtype)
    reach = window_reach((KH, KW), dilation)
    span = ((OW - 1) * strides[1] + reach[1]) * K
    rows = _rows_of_band(OH, span * x.itemsize, strides[0], reach[0])
    chunks = max(1, min(CHUNKS, N * -(-OH // rows)))
    partial = workspace("depthwise kernel", (chunks, KH * KW * -(-K // L) * L), x.dtype)
    scratch = _scratch(rows, span, strides[0], reach[0], x.dtype)
    part = tile((KH, KW))
    _backward_kernel(
        tapping(x.dtype, *part), x, dy, partial, scratch, (KH, KW), strides, dilation, (padding[0][0], padding[1][0]),
        rows, part, L,
    )  # fmt: skip
    total = np.empty(partial.shape[1], x.dtype)
    add_up(partial, total)
    total = total.reshape(KH, KW, -1)
    dkernel = np.empty((KH, KW, K), x.dtype)
    dkernel[:, :, : K // L * L] = total[:, :, : K // L * L]
    dkernel[:, :, K - L :] = total[:, :, -L:]  # the last vector overlaps the one before it
    return np.ascontiguousarray(dkernel[:, :, : C * M]).reshape(kernel_shape)


def _repeated(x, M):
    """x with each channel M times, for the M filters that see it."""
    return x if M == 1 else np.repeat(x, M, axis=-1)


def _wide_enough(array):
    """The array with at least as many channels as a vector has numbers; added ones are zero."""
    missing = lanes(array.dtype) - array.shape[-1]
    return array if missing <= 0 else np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def _rows_of_band(out_rows, row_bytes, stride, reach):
    """How many rows of results are computed from one band."""
    return max(1, min(out_rows, (BAND_BYTES // row_bytes - reach) // stride + 1))


def _scratch(rows, span, stride, reach, dtype):
    """The band of each worker; it begins at a multiple of a vector."""
    L = lanes(dtype)
    return workspace("depthwise", (get_num_threads(), -(-((rows - 1) * stride + reach) * span // L) * L), dtype)


def _convolve(
    x: Array, kernel: Array, bias: Array, y: Array, out: tuple, strides: tuple, dilation: tuple, corner: tuple,
    first: tuple, steps: tuple, floor: float = -np.inf, ceiling: float = np.inf,
) -> None:  # fmt: skip
    """Write the result of window (i, j) of `out` to pixel `first` + (i, j) * `steps` of y.

    The window begins at pixel (i*SH, j*SW) - `corner` of x; outside x there are zeros.
    """
    C = y.shape[3]
    if lanes(x.dtype) > C:
        whole = empty((*y.shape[:3], lanes(x.dtype)), y.dtype)
        x, kernel, bias = (_wide_enough(array) for array in (x, kernel, bias))
        _convolve(x, kernel, bias, whole, out, strides, dilation, corner, first, steps, floor, ceiling)
        places = slice(first[0], None, steps[0]), slice(first[1], None, steps[1])
        y[:, places[0], places[1]] = whole[:, places[0], places[1], :C]
        return
    reach = window_reach(kernel.shape[:2], dilation)
    span = ((out[1] - 1) * strides[1] + reach[1]) * C
    rows = _rows_of_band(out[0], span * x.itemsize, strides[0], reach[0])
    columns = max(4, COLUMN_BYTES // (kernel.shape[0] * C * x.itemsize * strides[1]) - kernel.shape[1])
    limits, part = tuple(x.dtype.type(limit) for limit in (floor, ceiling, np.inf)), tile(kernel.shape[:2])
    _filter(
        filtering(x.dtype, *part), x, kernel, bias, y, _scratch(rows, span, strides[0], reach[0], x.dtype), out,
        strides, dilation, corner, first, steps, limits, rows, columns, part, lanes(x.dtype),
    )  # fmt: skip


@njit(parallel=True)
def _filter(
    code, x, kernel, bias, y, scratch, out, strides, dilation, corner, first, steps, limits, rows, columns, tile,
    lanes,
):  # fmt: skip
    (N, YH, YW, C), size = y.shape, x.shape[1:]
    (OH, OW), (KH, KW, _), (P, Q) = out, kernel.shape, tile
    (SH, SW), (DH, DW), (top, left) = strides, dilation, corner
    x, kernel, y = x.reshape(-1), kernel.reshape(-1), y.reshape(-1)
    reach, width = (KH - 1) * DH + 1, (OW - 1) * SW + (KW - 1) * DW + 1
    span, bands = width * C, (OH + rows - 1) // rows
    for unit in prange(N * bands):
        n, begin = unit // bands, unit % bands * rows
        end = min(begin + rows, OH)
        band = scratch[get_thread_id()]
        copy_rows(band, x, size, n, begin * SH - top, (end - 1) * SH + reach - top, left, width)
        to = ((n * YH + first[0] + begin * steps[0]) * YW + first[1]) * C
        # Where a window has several parts, the vector that overlaps another one has to be finished after that.
        whole = C if P == KH and Q == KW else C // lanes * lanes
        for j in range(0, OW, columns):
            count = min(columns, OW - j)
            for i in range(end - begin):
                at, here = (i * SH * span + j * SW * C), to + (i * steps[0] * YW + j * steps[1]) * C
                c, channels = 0, whole
                while c < C:
                    for p in range(0, KH, P):
                        for q in range(0, KW, Q):
                            start, start_at, start_pixel, last = (bias, c, 0, p + P == KH and q + Q == KW)
                            if p + q > 0:
                                start, start_at, start_pixel = y, here + c, steps[1] * C
                            filter_windows(
                                code, uintp(count), uintp(channels), kernel, uintp((p * KW + q) * C + c),
                                uintp(KW * C), uintp(C), band, uintp(at + p * DH * span + q * DW * C + c),
                                uintp(SW * C), uintp(DH * span), uintp(DW * C), start, uintp(start_at),
                                uintp(start_pixel), limits[0] if last else -limits[2], limits[1] if last else limits[2],
                                y, uintp(here + c), uintp(steps[1] * C),
                            )  # fmt: skip
                    c = C - lanes if c == 0 and whole < C else C
                    channels = lanes


@njit(parallel=True)
def _backward_kernel(code, x, dy, partial, scratch, window, strides, dilation, corner, rows, tile, lanes):
    N, OH, OW, C = dy.shape
    size, chunks = x.shape[1:], partial.shape[0]
    KH, KW = window
    P, Q = tile
    (SH, SW), (DH, DW), (top, left) = strides, dilation, corner
    x, dy, sums = x.reshape(-1), dy.reshape(-1), partial.reshape(-1)
    reach, width = (KH - 1) * DH + 1, (OW - 1) * SW + (KW - 1) * DW + 1
    span, bands = width * C, (OH + rows - 1) // rows
    per_chunk = (N * bands + chunks - 1) // chunks
    number, size_of_tap = dy.dtype.type(0), (C + lanes - 1) // lanes * lanes
    for chunk in prange(chunks):
        base = chunk * KH * KW * size_of_tap
        for at in range(uintp(base), uintp(base + KH * KW * size_of_tap)):
            sums[at] = number
        band = scratch[get_thread_id()]
        for unit in range(chunk * per_chunk, min((chunk + 1) * per_chunk, N * bands)):
            n, begin = unit // bands, unit % bands * rows
            end = min(begin + rows, OH)
            copy_rows(band, x, size, n, begin * SH - top, (end - 1) * SH + reach - top, left, width)
            for k in range(0, C, lanes):
                c = min(k, C - lanes)
                for p in range(0, KH, P):
                    for q in range(0, KW, Q):
                        add_taps(
                            code, uintp(end - begin), uintp(OW), dy, uintp((n * OH + begin) * OW * C + c),
                            uintp(OW * C), uintp(C), band, uintp(p * DH * span + q * DW * C + c), uintp(SH * span),
                            uintp(SW * C), uintp(DH * span), uintp(DW * C), sums,
                            uintp(base + (p * KW + q) * size_of_tap + k), uintp(KW * size_of_tap), uintp(size_of_tap),
                        )  # fmt: skip
