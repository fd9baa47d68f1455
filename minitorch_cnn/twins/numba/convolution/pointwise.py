"""1x1 convolutions at stride 1: the pixels of all images are the rows of one matrix, so nothing is copied.

    y       (M, K) = x (M, C) @ kernel (C, K) + bias        M = N*H*W pixels
    dx      (M, C) = dy @ kernel.T
    dkernel (C, K) = x.T @ dy                               a sum over all pixels

Workers share the result. In `multiply` they take some rows each; in `tall_product`, whose result is small and whose
sum is long, parts of the result, and if these are few, parts of the sum. If K is no multiple of a vector, the last
vector overlaps the one before it, and their common columns are computed twice.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.numba.block_product import WIDTHS, fill_up, multiplier, panel_width, product, scaled_product
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.simd import lanes
from minitorch_cnn.twins.numba.sums import add_up
from minitorch_cnn.twins.numba.workspace import workspace

ROWS_BYTES = 192 * 1024  # of x in one piece of work: a fraction of a core's second-level cache
MANY = 16  # rows: with so many it pays to lay out the second factor panel by panel
UNITS = 16  # pieces of work at least, if the shapes allow it
DEPTH = 256  # pixels that a worker multiplies at a time in a tall product
CHANNELS, PANELS = 192, 4  # its part of the result at most: of the rows, and of the columns in panels


def multiply(
    a: Array, b: Array, start: Array, scale: Array | None = None, floor: float = -np.inf, ceiling: float = np.inf
) -> Array:
    """(M, K) = (a (M, C) @ b (C, K)) * scale (K,) + start (K,), at least `floor` and at most `ceiling`.

    Contiguous arrays of one dtype.
    """
    (M, C), K, L = a.shape, b.shape[1], lanes(a.dtype)
    if K < L:
        b, start, scale = (None if array is None else fill_up(array, L) for array in (b, start, scale))
        return np.ascontiguousarray(multiply(a, b, start, scale, floor, ceiling)[:, :K])
    scale = np.ones(K, a.dtype) if scale is None else scale
    y = empty((M, K), a.dtype)
    rows = max(48, ROWS_BYTES // (C * a.itemsize) // 48 * 48)
    rows = min(rows, max(48, -(-M // UNITS) // 48 * 48 + 48))
    groups = max(1, round(M / rows))  # all of nearly the same length, or a worker would wait for another
    rows = -(-M // (6 * groups)) * 6  # a multiple of the six rows of a block of `product`
    panels = -(-K // (WIDTHS[0] * L))
    parts = min(panels, -(-UNITS // -(-M // rows)))
    packed = M >= MANY and panels > 1
    laid_out = workspace("pointwise kernel", C * (K + L) if packed else 0, a.dtype)
    limits = a.dtype.type(floor), a.dtype.type(ceiling)
    _multiply(
        multiplier(a.dtype), a.reshape(-1), b.reshape(-1), start, scale, y, laid_out, C, limits, rows, parts, packed, L
    )  # fmt: skip
    return y


@njit(nogil=True)
def _vectors(k, K, lanes):
    """(where the panel that begins at column k really begins, its width in vectors)."""
    if K - k < lanes:
        return K - lanes, 1
    return k, panel_width((K - k) // lanes)


@njit(parallel=True)
def _multiply(multiply, a, b, start, scale, y, laid_out, C, limits, rows, parts, packed, lanes):
    M, K = y.shape
    y = y.reshape(-1)
    widest = WIDTHS[0] * lanes
    if packed:
        for panel in prange((K + widest - 1) // widest):
            k = panel * widest
            while k < min(panel * widest + widest, K):
                first, width = _vectors(k, K, lanes)
                _lay_out(laid_out, uintp(k * C), b, uintp(first), uintp(K), uintp(C), uintp(width * lanes))
                k += width * lanes
    groups = (M + rows - 1) // rows
    for unit in prange(groups * parts):  # neighbours share columns of the kernel, which then stay in a core's cache
        part, m = unit // groups, unit % groups * rows
        count, k = min(rows, M - m), part * widest
        while k < K:
            end = min(k + widest, K)
            while k < end:
                first, width = _vectors(k, K, lanes)
                u, u_at, u_step = (laid_out, k * C, width * lanes) if packed else (b, first, K)
                scaled_product(
                    multiply, uintp(count), uintp(width), uintp(1), uintp(C), a, uintp(m * C), uintp(C), uintp(0),
                    uintp(1), u, uintp(u_at), uintp(0), uintp(u_step), start, uintp(first), uintp(0), limits[0],
                    y, uintp(m * K + first), uintp(K), scale, uintp(first), limits[1],
                )  # fmt: skip
                k += width * lanes
            k = end + (parts - 1) * widest


@njit(nogil=True)
def _lay_out(to, to_at, x, at, step, rows, width):
    """Copy `width` numbers of each of `rows` rows, `step` apart, side by side."""
    for _ in range(rows):
        for c in range(width):
            to[to_at + c] = x[at + c]
        to_at += width
        at += step


def tall_product(a: Array, b: Array) -> Array:
    """(C, K) = a (M, C).T @ b (M, K); contiguous arrays of one dtype."""
    (M, C), K, L = a.shape, b.shape[1], lanes(a.dtype)
    if K < L:
        return np.ascontiguousarray(tall_product(a, fill_up(b, L))[:, :K])
    widest, filled = WIDTHS[0] * L, -(-K // L) * L
    tiles = -(-C // CHANNELS) * -(-K // (PANELS * widest))
    chunks = max(1, min(-(-UNITS // tiles), -(-M // DEPTH)))
    partial = workspace("tall product", (chunks, C * filled), a.dtype)
    scratch = workspace("tall product's factors", (get_num_threads(), DEPTH * (CHANNELS + widest)), a.dtype)
    _tall_product(
        multiplier(a.dtype),
        a.reshape(-1),
        b.reshape(-1),
        partial,
        scratch,
        np.zeros(widest, a.dtype),
        M,
        C,
        K,
        CHANNELS,
        PANELS,
        L,
    )
    total = empty((C, filled), a.dtype)
    add_up(partial, total.reshape(-1))
    if filled == K:
        return total
    result = empty((C, K), a.dtype)
    result[:, : filled - L] = total[:, : filled - L]
    result[:, K - L :] = total[:, filled - L :]
    return result


@njit(parallel=True)
def _tall_product(multiply, a, b, partial, scratch, zeros, M, C, K, channels, panels, lanes):
    chunks, widest = partial.shape[0], WIDTHS[0] * lanes
    filled = (K + lanes - 1) // lanes * lanes
    wide = panels * widest
    down, across = (C + channels - 1) // channels, (K + wide - 1) // wide
    length, none = (M + chunks - 1) // chunks, partial.dtype.type(-np.inf)
    sums = partial.reshape(-1)
    for unit in prange(chunks * down * across):
        chunk, tile = unit // (down * across), unit % (down * across)
        c, k_first = tile // across * channels, tile % across * wide
        count, k_end = min(channels, C - c), min(k_first + wide, K)
        mine, base = scratch[get_thread_id()], chunk * C * filled + c * filled
        begin, end = chunk * length, min((chunk + 1) * length, M)
        for m in range(begin, end, DEPTH):
            depth = min(DEPTH, end - m)
            v, v_at, v_step = (a, m * C, C) if count == C else (mine, 0, count)
            if count < C:
                _lay_out(mine, uintp(0), a, uintp(m * C + c), uintp(C), uintp(depth), uintp(count))
            k = k_first
            while k < k_end:
                first, width = _vectors(k, K, lanes)
                u, u_at, u_step = b, m * K + first, K
                if width * lanes < K:
                    u, u_at, u_step = mine, DEPTH * channels, width * lanes
                    _lay_out(mine, uintp(u_at), b, uintp(m * K + first), uintp(K), uintp(depth), uintp(u_step))
                begin_at, begin_row = base + k, filled
                before = sums
                if m == begin:
                    before, begin_at, begin_row = zeros, 0, 0
                product(
                    multiply, uintp(count), uintp(width), uintp(1), uintp(depth), v, uintp(v_at), uintp(1), uintp(0),
                    uintp(v_step), u, uintp(u_at), uintp(0), uintp(u_step), before, uintp(begin_at), uintp(begin_row),
                    none, sums, uintp(base + k), uintp(filled),
                )  # fmt: skip
                k += width * lanes
