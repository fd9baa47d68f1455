"""The twin of `row_windows`: each worker copies a band of image rows with its padding, then multiplies in registers.

A band is small enough to stay in the core's second-level cache. The bits do not depend on the threads, because every
number of the result is summed in the same order however the bands are divided, and `backward_kernel` sums in chunks
that the shapes alone decide.
"""

from typing import Any

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.convolution import im2col
from minitorch_cnn.twins.numba.block_product import (
    WIDTHS,
    cut,
    fill_up,
    multiplier,
    panel_width,
    product,
    scaled_product,
)
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.convolution import pointwise
from minitorch_cnn.twins.numba.convolution.epilogue import pool_rows
from minitorch_cnn.twins.numba.convolution.strided import is_strided, spread, taken
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.simd import lanes
from minitorch_cnn.twins.numba.sums import add_up
from minitorch_cnn.twins.numba.workspace import workspace
from minitorch_cnn.twins.window_arguments import check_backward_input, check_backward_kernel, check_forward

BAND_BYTES = 192 * 1024  # of image rows that a worker holds
KERNEL_BYTES = 512 * 1024  # of the kernel, multiplied with the whole band before the next part
UNITS = 8  # pieces of work at least, if the shapes allow it
CHUNKS = 16  # independent partial sums of the kernel's gradient
PARTIAL_BYTES = 64 * 1024 * 1024  # at most, for all of them
WIDEST = WIDTHS[0]


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, *,
    relu: bool = False, pool: bool = False, scale: Array | None = None, ceiling: float = np.inf,
) -> Any:  # fmt: skip
    """See `row_windows.forward`; bias and ReLU are applied while the result is still in registers.

    With `pool` it returns (pooled y, winner); with a `scale` (K,) the sums are multiplied by it before the bias.
    No result is larger than `ceiling`.
    """
    out = check_forward(x, kernel, strides, padding, bias, pool, scale)
    x, kernel, bias, scale = one_type(x, kernel, *for_each_filter(kernel, x.dtype, bias, scale))
    if is_strided(kernel.shape, strides, padding):
        x, strides = taken(x, strides), (1, 1)
    if not pool and is_pointwise(kernel.shape, strides, padding):
        y = pointwise.multiply(x.reshape(-1, x.shape[3]), kernel[0, 0], bias, scale, 0 if relu else -np.inf, ceiling)
        return y.reshape(*x.shape[:3], -1)
    return convolve(x, kernel, out, strides, (padding[0][0], padding[1][0]), bias, relu, pool, scale, ceiling)


def is_pointwise(kernel_shape: tuple, strides: tuple, padding: tuple) -> bool:
    """Whether the convolution is one matrix product, whose rows are the pixels."""
    return kernel_shape[:2] == strides == (1, 1) and padding == ((0, 0), (0, 0))


def for_each_filter(kernel: Array, dtype: Any, bias: Array | None, scale: Array | None) -> tuple[Array, Array]:
    """(bias, scale), both (K,): zeros and ones where there is none."""
    K = kernel.shape[3]
    return np.zeros(K, dtype) if bias is None else bias, np.ones(K, dtype) if scale is None else scale


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_input`."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    if is_strided(kernel.shape, strides, padding):
        dx = backward_input(dy, kernel, (*dy.shape[:3], kernel.shape[2]), (1, 1), padding)
        return spread(dx, input_shape, strides)
    if strides != (1, 1):
        return im2col.backward_input(dy, kernel, input_shape, strides, padding)  # its twin, unless SciPy is missing
    KH, KW, C, _ = kernel.shape
    dy, kernel = one_type(dy, kernel)
    if is_pointwise(kernel.shape, strides, padding):
        dx = pointwise.multiply(dy.reshape(-1, dy.shape[3]), turn(kernel)[0, 0], np.zeros(C, dy.dtype))
        return dx.reshape(input_shape)
    corner = KH - 1 - padding[0][0], KW - 1 - padding[1][0]
    return convolve(dy, turn(kernel), input_shape[1:3], strides, corner, np.zeros(C, dy.dtype), False)


def convolve(
    x: Array, kernel: Array, out: tuple, strides: tuple, corner: tuple, bias: Array, relu: bool, pool: bool = False,
    scale: Array | None = None, ceiling: float = np.inf,
) -> Any:  # fmt: skip
    """Y (N, OH, OW, K): window (i, j) begins at pixel (i*SH, j*SW) - `corner` of x; outside x there are zeros.

    With `pool` a band's results are held until two rows of them become one row of y; where K does not fill the last
    vector, they are held until their first K are copied to y.
    """
    N, _, _, C = x.shape
    KH, KW, _, K = kernel.shape
    (OH, OW), L = out, lanes(x.dtype)
    bias, scale = for_each_filter(kernel, x.dtype, bias, scale)
    kernel, bias, scale = (fill_up(array, L) for array in (kernel, bias, scale))
    filled = kernel.shape[3]
    y = empty((N, OH // 2, OW // 2, filled) if pool else (N, OH, OW, K), x.dtype)
    winner = empty(y.shape if pool else (0,) * 4, np.uint8)
    span = ((OW - 1) * strides[1] + KW) * C
    rows = max(1, min(OH, (BAND_BYTES // (span * x.itemsize) - KH) // strides[0] + 1))
    is_held = pool or filled > K
    if is_held:
        rows = min(rows, BAND_BYTES // (OW * filled * x.itemsize))
        rows = max(2, rows // 2 * 2) if pool else max(1, rows)
    panels = -(-filled // (WIDEST * L))
    groups = min(panels, -(-UNITS // (N * -(-OH // rows))))
    together = KH if KH * KW * C * WIDEST * L * x.itemsize <= KERNEL_BYTES else 1
    scratch = workspace("row windows", (get_num_threads(), ((rows - 1) * strides[0] + KH) * span), x.dtype)
    held = workspace("row windows held", (get_num_threads(), rows * OW * filled if is_held else 0), x.dtype)
    limits = x.dtype.type(0 if relu else -np.inf), x.dtype.type(ceiling)
    _convolve(
        multiplier(x.dtype), x, kernel, bias, scale, y, winner, scratch, held, out, strides, corner, limits, rows,
        groups, together, L,
    )  # fmt: skip
    return (cut(y, K), cut(winner, K)) if pool else y


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_kernel`."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
    KH, KW, C, K = kernel_shape
    x, dy = one_type(x, dy)
    if is_strided(kernel_shape, strides, padding):
        return backward_kernel(taken(x, strides), dy, kernel_shape, (1, 1), padding)
    if is_pointwise(kernel_shape, strides, padding):
        return pointwise.tall_product(x.reshape(-1, C), dy.reshape(-1, K)).reshape(kernel_shape)
    L = lanes(x.dtype)
    dy = fill_up(dy, L)
    N, OH, OW, filled = dy.shape
    span = ((OW - 1) * strides[1] + KW) * C
    rows = max(1, min(OH, (BAND_BYTES // ((span + OW * filled) * x.itemsize) - KH) // strides[0] + 1))
    bands = N * -(-OH // rows)
    chunks = max(1, min(CHUNKS, bands, PARTIAL_BYTES // (KH * KW * C * filled * x.itemsize)))
    partial = workspace("row windows' kernel", (chunks, KH * KW * C * filled), x.dtype)
    scratch = workspace("row windows", (get_num_threads(), ((rows - 1) * strides[0] + KH) * span), x.dtype)
    corner = padding[0][0], padding[1][0]
    _backward_kernel(multiplier(x.dtype), x, dy, partial, scratch, (KH, KW), strides, corner, rows, L)
    dkernel = empty(KH * KW * C * filled, x.dtype)
    add_up(partial, dkernel)
    dkernel = dkernel.reshape(KH, KW, C, filled)
    return cut(dkernel, K)


def turn(kernel: Array) -> Array:
    """See `row_windows.turned`; the result is a new array."""
    KH, KW, C, K = kernel.shape
    back = empty((KH, KW, K, C), kernel.dtype)
    _turn(kernel.reshape(KH * KW, C, K), back.reshape(KH * KW, K, C))
    return back


@njit(parallel=True)
def _turn(kernel, back):
    """In squares of 16, which stay in the cache while they are read along one axis and written along the other."""
    taps, C, K = kernel.shape
    squares = (C + 15) // 16
    for piece in prange(taps * squares):
        tap, first = piece // squares, piece % squares * 16
        last = min(first + 16, C)
        for k_first in range(0, K, 16):
            for k in range(k_first, min(k_first + 16, K)):
                for c in range(first, last):
                    back[taps - 1 - tap, k, c] = kernel[tap, c, k]


@njit(nogil=True)
def copy_rows(to, x, size, n, first, last, left, width):
    """Copy `width` pixels, from column -left on, of rows first..last-1 of image n to `to`; zeros outside the image.

    All arrays are flat, and positions are unsigned integers, for the reasons given at `_fill` in im2col.py.
    """
    H, W, C = size
    before = min(max(left, 0), width) * C
    inside = max(0, min(width, left + W) - max(left, 0)) * C
    at = uintp(0)
    for h in range(first, last):
        if h < 0 or h >= H or inside == 0:
            for c in range(uintp(width * C)):
                to[at + c] = 0
        else:
            source, middle = uintp((n * H + h) * W * C + max(-left, 0) * C), at + uintp(before)
            for c in range(uintp(before)):
                to[at + c] = 0
            for c in range(uintp(inside)):
                to[middle + c] = x[source + c]
            for c in range(uintp(before + inside), uintp(width * C)):
                to[at + c] = 0
        at += uintp(width * C)


@njit(parallel=True)
def _convolve(
    multiply, x, kernel, bias, scale, y, winner, scratch, held, out, strides, corner, limits, rows, groups, together,
    lanes,
):  # fmt: skip
    N, PH, PW, wanted = y.shape
    OH, OW = out
    KH, KW, C, K = kernel.shape
    (SH, SW), (top, left), size = strides, corner, x.shape[1:]
    pool, is_held = winner.size > 0, held.shape[1] > 0
    x, kernel, y, winner = x.reshape(-1), kernel.reshape(-1), y.reshape(-1), winner.reshape(-1)
    width = (OW - 1) * SW + KW
    span, bands, none = width * C, (OH + rows - 1) // rows, y.dtype.type(-np.inf)
    for unit in prange(N * bands * groups):
        band, group = unit // groups, unit % groups
        n, first = band // bands, band % bands * rows
        last = min(first + rows, OH)
        window = scratch[get_thread_id()]
        copy_rows(window, x, size, n, first * SH - top, (last - 1) * SH + KH - top, left, width)
        results, band_at = (held[get_thread_id()], 0) if is_held else (y, (n * OH + first) * OW * K)
        k, end = group * WIDEST * lanes, 0
        while k < K:
            begin_k, end = k, min(k + WIDEST * lanes, K)
            while k < end:
                vectors = panel_width((end - k) // lanes)
                for p in range(0, KH, together):
                    for i in range(first, last):
                        to = band_at + (i - first) * OW * K + k
                        begin, begin_at, begin_row = (bias, k, 0) if p == 0 else (results, to, K)
                        scaled_product(
                            multiply, uintp(OW), uintp(vectors), uintp(together), uintp(KW * C),
                            window, uintp(((i - first) * SH + p) * span), uintp(SW * C), uintp(span), uintp(1),
                            kernel, uintp(p * KW * C * K + k), uintp(KW * C * K), uintp(K),
                            begin, uintp(begin_at), uintp(begin_row), limits[0] if p + together >= KH else none,
                            results, uintp(to), uintp(K), scale, uintp(k),
                            limits[1] if p + together >= KH else -none,
                        )  # fmt: skip
                k += vectors * lanes
            if pool:
                for i in range(first // 2, last // 2):
                    at, to = (2 * i - first) * OW * K + begin_k, (n * PH + i) * PW * K + begin_k
                    pool_rows(results, at, OW * K, K, y, winner, to, K, PW, end - begin_k, lanes)
            elif is_held:
                for pixel in range((last - first) * OW):
                    at, to = uintp(pixel * K), uintp(((n * OH + first) * OW + pixel) * wanted)
                    for column in range(uintp(begin_k), uintp(min(end, wanted))):
                        y[to + column] = results[at + column]
            k += (groups - 1) * WIDEST * lanes


@njit(parallel=True)
def _backward_kernel(multiply, x, dy, partial, scratch, window_size, strides, corner, rows, lanes):
    N, OH, OW, K = dy.shape
    size, C, chunks = x.shape[1:], x.shape[3], partial.shape[0]
    KH, KW = window_size
    SH, SW = strides
    top, left = corner
    x, dy, sums = x.reshape(-1), dy.reshape(-1), partial.reshape(-1)
    width = (OW - 1) * SW + KW
    span, bands, none = width * C, (OH + rows - 1) // rows, dy.dtype.type(-np.inf)
    per_chunk = (N * bands + chunks - 1) // chunks
    for chunk in prange(chunks):
        base = chunk * KH * KW * C * K
        for at in range(uintp(base), uintp(base + KH * KW * C * K)):
            sums[at] = 0
        for band in range(chunk * per_chunk, min((chunk + 1) * per_chunk, N * bands)):
            n, first = band // bands, band % bands * rows
            last = min(first + rows, OH)
            window = scratch[get_thread_id()]
            copy_rows(window, x, size, n, first * SH - top, (last - 1) * SH + KH - top, left, width)
            k = 0
            while k < K:
                vectors = panel_width((K - k) // lanes)
                for p in range(KH):
                    to = base + p * KW * C * K + k
                    product(
                        multiply, uintp(KW * C), uintp(vectors), uintp(last - first), uintp(OW),
                        window, uintp(p * span), uintp(1), uintp(SH * span), uintp(SW * C),
                        dy, uintp((n * OH + first) * OW * K + k), uintp(OW * K), uintp(K),
                        sums, uintp(to), uintp(K), none, sums, uintp(to), uintp(K),
                    )  # fmt: skip
                k += vectors * lanes
