"""The twin of `winograd`: a worker takes a few tiles through all three steps while their numbers are in its cache.

    few tiles:   patches -> V   (36, tiles, C)        additions, a vector of channels at a time
                 V @ U   -> M   (36, tiles, filters)  `block_product`, a panel of filters at a time
                 M -> y                               additions, bias and ReLU

Three steps over whole arrays would move 36 numbers for every 16 outputs to memory and back, twice. If a layer has many
filters and few tiles, dividing the tiles would leave most workers idle and bring all of U to each of them, and U takes
four times the memory of the kernel. So then V is computed first, and each worker takes its own filters and computes
their part of U in its cache, a few channels at a time (`_by_filters`). The gradient of the kernel is computed
in `winograd_sums`.

Every output is summed in the same order however the work is divided, so the bits do not depend on the threads.
"""

from typing import Any

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.convolution.winograd import PATCH, TILE, serves, tile_count
from minitorch_cnn.twins.numba.block_product import WIDTHS, cut, fill_up, heights, multiplier, panel_width, product
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.convolution import row_windows as row_windows_numba
from minitorch_cnn.twins.numba.convolution.epilogue import pool_rows
from minitorch_cnn.twins.numba.convolution.row_windows import for_each_filter, turn
from minitorch_cnn.twins.numba.convolution.winograd_sums import kernel_gradient
from minitorch_cnn.twins.numba.convolution.winograd_tiles import (
    filters_to_points,
    points_apart,
    points_to_tile,
    transform_patch,
)
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.simd import lanes
from minitorch_cnn.twins.numba.workspace import workspace
from minitorch_cnn.twins.window_arguments import check_backward_input, check_backward_kernel, check_forward

CACHE_BYTES = 512 * 1024  # for V and M of the tiles that a worker holds, or for its part of U
LEAST_TILES = 12  # with fewer, all of U would pass through the cache for too little work
UNITS = 8  # pieces of work that are enough for most machines
CHANNELS = 16  # of the kernel, transformed together: each stretch that is written is long enough for the memory
WIDEST = WIDTHS[0]
POINTS, OUTPUTS = PATCH * PATCH, TILE * TILE


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, *,
    relu: bool = False, pool: bool = False, scale: Array | None = None,
) -> Any:  # fmt: skip
    """See `winograd.forward`; with `pool` it returns (pooled y, winner). A `scale` (K,) multiplies the kernel."""
    out = check_forward(x, kernel, strides, padding, bias, pool, scale)
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.forward(x, kernel, strides, padding, bias, relu=relu, pool=pool, scale=scale)
    x, kernel, bias, scale = one_type(x, kernel, *for_each_filter(kernel, x.dtype, bias, scale))
    return convolve(x, kernel, out, (padding[0][0], padding[1][0]), bias, relu, pool, scale)


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `winograd.backward_input`."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.backward_input(dy, kernel, input_shape, strides, padding)
    dy, kernel = one_type(dy, kernel)
    corner = 2 - padding[0][0], 2 - padding[1][0]
    return convolve(dy, turn(kernel), input_shape[1:3], corner, np.zeros(kernel.shape[2], dy.dtype), False)


def convolve(
    x: Array, kernel: Array, out: tuple, corner: tuple, bias: Array, relu: bool, pool: bool = False,
    scale: Array | None = None,
) -> Any:  # fmt: skip
    """See `winograd.convolve`; this also applies scale, bias, ReLU and the pool."""
    N, _, _, C = x.shape
    K, L = kernel.shape[3], lanes(x.dtype)
    bias, scale = for_each_filter(kernel, x.dtype, bias, scale)
    kernel, bias, scale = (fill_up(array, L) for array in (kernel, bias, scale))
    filled = kernel.shape[3]
    bias = np.append(bias, np.zeros(WIDEST * L, x.dtype))  # zeros that `product` starts from
    y = empty((N, out[0] // 2, out[1] // 2, filled) if pool else (N, *out, filled), x.dtype)
    winner = empty(y.shape if pool else (0,) * 4, np.uint8)
    TH, TW = tile_count(out)
    floor = x.dtype.type(0 if relu else -np.inf)
    room = C + -C % L
    panel = min(filled, WIDEST * L)
    tiles = N * TH * TW
    tile = POINTS * (room + L) + OUTPUTS * panel  # a patch, half-transformed vectors of it, outputs to be pooled
    if tiles > (K if filled >= UNITS * panel else K // 2):
        U = workspace("winograd U", POINTS * C * filled, x.dtype)
        _kernel_to_points(kernel, scale, U, L)
        held = CACHE_BYTES // (POINTS * (room + panel) * x.itemsize)
        height = heights(min(WIDEST, filled // L))[0]
        held = max(LEAST_TILES, held // height * height)
        apart = points_apart(held * room, x.itemsize), points_apart(held * panel, x.itemsize), 0
        scratch = workspace("winograd", (get_num_threads(), POINTS * sum(apart) + tile), x.dtype)
        _by_tiles(multiplier(x.dtype), x, U, bias, y, winner, scratch, out, (TH, TW), corner, floor, held, apart, L)
    else:
        depth = min(C, max(1, CACHE_BYTES // (POINTS * panel * x.itemsize)))
        apart = tuple(points_apart(n, x.itemsize) for n in (tiles * room, tiles * panel, depth * panel))
        V = workspace("winograd V", POINTS * apart[0], x.dtype)
        scratch = workspace("winograd", (get_num_threads(), POINTS * (apart[1] + apart[2]) + tile), x.dtype)
        _by_filters(
            multiplier(x.dtype), x, kernel, scale, bias, y, winner, V, scratch, out, (TH, TW), corner, floor, depth,
            apart, L,
        )  # fmt: skip
    return (cut(y, K), cut(winner, K)) if pool else cut(y, K)


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `winograd.backward_kernel`."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
    if not serves(kernel_shape[:2], strides):
        return row_windows_numba.backward_kernel(x, dy, kernel_shape, strides, padding)
    x, dy = one_type(x, dy)
    return kernel_gradient(x, dy, (padding[0][0], padding[1][0]))


@njit(nogil=True)
def _multiply(multiply, V, room, c, depth, U, U_at, vectors, begin, begin_row, M, count, apart, lanes):
    """M = V U for `count` tiles and `vectors` vectors of filters, summed over `depth` channels of V from c on.

    The sum begins with `begin`: zeros (and then begin_row is 0), or M itself, to add to it. `apart` are the distances
    between the points of V, M and U.
    """
    panel, none = vectors * lanes, M.dtype.type(-np.inf)
    for point in range(36):
        to = uintp(point * apart[1])
        product(
            multiply, uintp(count), uintp(vectors), uintp(1), uintp(depth), V, uintp(point * apart[0] + c),
            uintp(room), uintp(0), uintp(1), U, uintp(U_at + point * apart[2]), uintp(0), uintp(panel), begin,
            to if begin_row else uintp(0), uintp(begin_row), none, M, to, uintp(panel),
        )  # fmt: skip


@njit(nogil=True)
def _finish(M, point, first, count, k, panel, bias, floor, temporary, y, winner, out, tiles_of, lanes):
    """y from M, for `panel` filters from k on and the tiles first..first+count-1; the points of M are `point` apart."""
    OH, OW = out
    PH, PW, K = y.shape[1:]
    TH, TW = tiles_of
    pool = winner.size > 0
    y, winner, square = y.reshape(-1), winner.reshape(-1), temporary[36 * lanes :]
    for t in range(count):
        n, place = (first + t) // (TH * TW), (first + t) % (TH * TW)
        i, j = place // TW * 4, place % TW * 4
        rows, columns = min(4, OH - i), min(4, OW - j)
        if pool:
            tile, at, row, pixel = square, 0, 4 * panel, panel
        else:
            tile, at, row, pixel = y, ((n * OH + i) * OW + j) * K + k, OW * K, K
        points_to_tile(
            M, t * panel, point, panel, bias, k, floor, temporary, tile, at, row, pixel, rows, columns, lanes
        )
        if pool:
            for p in range(rows // 2):
                to = ((n * PH + i // 2 + p) * PW + j // 2) * K + k
                pool_rows(square, 8 * p * panel, row, pixel, y, winner, to, K, columns // 2, panel, lanes)


# The convolution, divided by tiles or by filters.


@njit(parallel=True)
def _by_tiles(multiply, x, U, bias, y, winner, scratch, out, tiles_of, corner, floor, held, apart, lanes):
    N, K, C = y.shape[0], y.shape[3], x.shape[3]
    size, zeros = x.shape[1:], bias[K:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    x = x.reshape(-1)
    for block in prange((tiles + held - 1) // held):
        mine = scratch[get_thread_id()]
        V, M = mine[: 36 * apart[0]], mine[36 * apart[0] : 36 * (apart[0] + apart[1])]
        patch = mine[36 * (apart[0] + apart[1]) :]
        temporary = patch[36 * room :]
        first, count = block * held, min(held, tiles - block * held)
        for t in range(count):
            transform_patch(x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, apart[0], lanes)
        k = first - first  # Numba would compile the function once more for a literal 0
        while k < K:
            vectors = panel_width((K - k) // lanes)
            panel = vectors * lanes
            _multiply(
                multiply, V, room, first - first, C, U, 36 * C * k, vectors, zeros, first - first, M, count,
                (apart[0], apart[1], C * panel), lanes,
            )  # fmt: skip
            _finish(M, apart[1], first, count, k, panel, bias, floor, temporary, y, winner, out, tiles_of, lanes)
            k += panel


@njit(parallel=True)
def _by_filters(
    multiply, x, kernel, scale, bias, y, winner, V, scratch, out, tiles_of, corner, floor, depth, apart, lanes
):  # fmt: skip
    """U, too, is computed by the worker that needs it, `depth` channels at a time: it never leaves its cache."""
    N, K, C = y.shape[0], y.shape[3], x.shape[3]
    size, zeros = x.shape[1:], bias[K:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    widest = min(WIDEST * lanes, K)
    x, kernel = x.reshape(-1), kernel.reshape(-1)
    for tile in prange(tiles):
        patch = scratch[get_thread_id()]
        temporary = patch[36 * room :]
        transform_patch(x, size, tile, tiles_of, corner, room, patch, temporary, V, tile * room, apart[0], lanes)
    for group in prange((K + widest - 1) // widest):
        mine = scratch[get_thread_id()]
        M, U = mine[: 36 * apart[1]], mine[36 * apart[1] : 36 * (apart[1] + apart[2])]
        temporary = mine[36 * (apart[1] + apart[2]) :]
        k, end = group * widest, min((group + 1) * widest, K)
        while k < end:
            vectors = panel_width((end - k) // lanes)
            panel = vectors * lanes
            for c in range(0, C, depth):
                last = min(c + depth, C)
                filters_to_points(kernel, scale, c, last, C, K, k, vectors, temporary, U, k - k, apart[2], lanes)
                begin, begin_row = (zeros, k - k) if c == 0 else (M, panel)
                _multiply(
                    multiply, V, room, c, last - c, U, k - k, vectors, begin, begin_row, M, tiles, apart, lanes
                )  # fmt: skip
            _finish(M, apart[1], k - k, tiles, k, panel, bias, floor, temporary, y, winner, out, tiles_of, lanes)
            k += panel


@njit(parallel=True)
def _kernel_to_points(kernel, scale, U, lanes):
    """U = scale * G g G^T, panel by panel as `product` reads it: (panel, 36, C, filters of the panel)."""
    _, _, C, K = kernel.shape
    kernel, widest = kernel.reshape(-1), WIDEST * lanes
    pieces = (C + CHANNELS - 1) // CHANNELS
    for piece in prange((K + widest - 1) // widest * pieces):
        k, c = piece // pieces * widest, piece % pieces * CHANNELS
        end, last = min(k + widest, K), min(c + CHANNELS, C)
        temporary = np.empty(18 * widest, kernel.dtype)
        while k < end:
            vectors = panel_width((end - k) // lanes)
            filters_to_points(kernel, scale, c, last, C, K, k, vectors, temporary, U,
                              36 * C * k + c * vectors * lanes, C * vectors * lanes, lanes)  # fmt: skip
            k += vectors * lanes
