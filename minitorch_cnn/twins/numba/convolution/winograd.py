"""The twin of `winograd`: a worker takes a few tiles through all three steps while their numbers are in its cache.

    few tiles:   patches -> V   (36, tiles, C)        additions, a vector of channels at a time
                 V @ U   -> M   (36, tiles, filters)  `block_product`, a panel of filters at a time
                 M -> y                               additions, bias and ReLU

Three steps over whole arrays would move 36 numbers for every 16 outputs to memory and back, twice. If a layer has many
filters and few tiles, dividing the tiles would leave most workers idle and bring all of U to each of them; so then V is
computed first, and each worker takes its own filters (`_by_filters`). The gradient of the kernel is in `winograd_sums`.

Every output is summed in the same order however the work is divided, so the bits do not depend on the threads.
"""

from typing import Any

import numpy as np
from numba import get_num_threads, get_thread_id, njit, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.engine.convolution.winograd import PATCH, TILE, serves, tile_count
from minitorch_cnn.twins.numba.block_product import WIDTHS, cut, fill_up, heights, multiplier, panel_width, product
from minitorch_cnn.twins.numba.convolution import row_windows as row_windows_numba
from minitorch_cnn.twins.numba.convolution.epilogue import pool_rows
from minitorch_cnn.twins.numba.convolution.row_windows import turn
from minitorch_cnn.twins.numba.convolution.winograd_sums import kernel_gradient
from minitorch_cnn.twins.numba.convolution.winograd_tiles import G, points_to_tile, transform_patch
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.simd import lanes, load_all, store_all
from minitorch_cnn.twins.numba.workspace import workspace

CACHE_BYTES = 512 * 1024  # for V and M of the tiles that a worker holds
LEAST_TILES = 12  # with fewer, all of U would pass through the cache for too little work
WIDEST = WIDTHS[0]
POINTS, OUTPUTS = PATCH * PATCH, TILE * TILE


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, relu: bool = False,
    pool: bool = False,
) -> Any:  # fmt: skip
    """See `winograd.forward`; with `pool` it returns (pooled y, winner)."""
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.forward(x, kernel, strides, padding, bias, relu, pool)
    out = output_size(x.shape[1:3], (3, 3), strides, padding)
    x, kernel, bias = one_type(x, kernel, np.zeros(kernel.shape[3], x.dtype) if bias is None else bias)
    return convolve(x, kernel, out, (padding[0][0], padding[1][0]), bias, relu, pool)


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `winograd.backward_input`."""
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.backward_input(dy, kernel, input_shape, strides, padding)
    dy, kernel = one_type(dy, kernel)
    corner = 2 - padding[0][0], 2 - padding[1][0]
    return convolve(dy, turn(kernel), input_shape[1:3], corner, np.zeros(kernel.shape[2], dy.dtype), False)


def convolve(
    x: Array, kernel: Array, out: tuple, corner: tuple, bias: Array, relu: bool, pool: bool = False
) -> Any:
    """See `winograd.convolve`; this also applies bias, ReLU and the pool."""
    N, _, _, C = x.shape
    K, L = kernel.shape[3], lanes(x.dtype)
    kernel, bias = fill_up(kernel, L), fill_up(bias, L)
    filled = kernel.shape[3]
    bias = np.append(bias, np.zeros(WIDEST * L, x.dtype))  # zeros that `product` starts from
    y = np.empty((N, out[0] // 2, out[1] // 2, filled) if pool else (N, *out, filled), x.dtype)
    winner = np.empty(y.shape if pool else (0,) * 4, np.uint8)
    TH, TW = tile_count(out)
    U = workspace("winograd U", POINTS * C * filled, x.dtype)
    _kernel_to_points(kernel, U, L)
    floor = x.dtype.type(0 if relu else -np.inf)
    room = C + -C % L
    panel = min(filled, WIDEST * L)
    tiles = N * TH * TW
    held = CACHE_BYTES // (POINTS * (room + panel) * x.itemsize)
    height = heights(min(WIDEST, filled // L))[0]
    held = max(LEAST_TILES, held // height * height)
    tile = POINTS * (room + L) + OUTPUTS * panel  # a patch, half-transformed vectors of it, outputs to be pooled
    if 2 * tiles > K:
        scratch = workspace("winograd", (get_num_threads(), POINTS * held * (room + panel) + tile), x.dtype)
        _by_tiles(multiplier(x.dtype), x, U, bias, y, winner, scratch, out, (TH, TW), corner, floor, held, L)
    else:
        V = workspace("winograd V", POINTS * tiles * room, x.dtype)
        scratch = workspace("winograd", (get_num_threads(), POINTS * tiles * panel + tile), x.dtype)
        _by_filters(multiplier(x.dtype), x, U, bias, y, winner, V, scratch, out, (TH, TW), corner, floor, L)
    return (cut(y, K), cut(winner, K)) if pool else cut(y, K)


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `winograd.backward_kernel`."""
    if not serves(kernel_shape[:2], strides):
        return row_windows_numba.backward_kernel(x, dy, kernel_shape, strides, padding)
    x, dy = one_type(x, dy)
    return kernel_gradient(x, dy, (padding[0][0], padding[1][0]))


@njit(cache=True, nogil=True)
def _multiply_and_finish(
    multiply, V, held, first, count, room, U, C, k, vectors, M, bias, floor, temporary, y, winner, out, tiles_of, lanes
):  # fmt: skip
    """M = V U and then y from M, for `vectors` vectors of filters from k on and the tiles first..first+count-1."""
    OH, OW = out
    PH, PW, K = y.shape[1:]
    TH, TW = tiles_of
    pool = winner.size > 0
    zeros, none = bias[K:], y.dtype.type(-np.inf)
    panel = vectors * lanes
    y, winner, square = y.reshape(-1), winner.reshape(-1), temporary[36 * lanes :]
    for point in range(36):
        product(
            multiply, uintp(count), uintp(vectors), uintp(1), uintp(C), V, uintp(point * held * room), uintp(room),
            uintp(0), uintp(1), U, uintp(36 * C * k + point * C * panel), uintp(0), uintp(panel), zeros,
            uintp(0), uintp(0), none, M, uintp(point * count * panel), uintp(panel),
        )  # fmt: skip
    for t in range(count):
        n, place = (first + t) // (TH * TW), (first + t) % (TH * TW)
        i, j = place // TW * 4, place % TW * 4
        rows, columns = min(4, OH - i), min(4, OW - j)
        if pool:
            tile, at, row, pixel = square, 0, 4 * panel, panel
        else:
            tile, at, row, pixel = y, ((n * OH + i) * OW + j) * K + k, OW * K, K
        points_to_tile(
            M, t * panel, count * panel, panel, bias, k, floor, temporary, tile, at, row, pixel, rows, columns, lanes
        )
        if pool:
            for p in range(rows // 2):
                to = ((n * PH + i // 2 + p) * PW + j // 2) * K + k
                pool_rows(square, 8 * p * panel, row, pixel, y, winner, to, K, columns // 2, panel, lanes)


# The convolution, divided by tiles or by filters.


@njit(cache=True, parallel=True)
def _by_tiles(multiply, x, U, bias, y, winner, scratch, out, tiles_of, corner, floor, held, lanes):
    N, K, C = y.shape[0], y.shape[3], x.shape[3]
    size = x.shape[1:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    widest = min(WIDEST * lanes, K)
    x = x.reshape(-1)
    for block in prange((tiles + held - 1) // held):
        mine = scratch[get_thread_id()]
        V, M = mine[: 36 * held * room], mine[36 * held * room : 36 * held * (room + widest)]
        patch = mine[36 * held * (room + widest) :]
        temporary = patch[36 * room :]
        first, count = block * held, min(held, tiles - block * held)
        for t in range(count):
            transform_patch(
                x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, held * room, lanes
            )
        k = first - first  # Numba would compile the function once more for a literal 0
        while k < K:
            vectors = panel_width((K - k) // lanes)
            _multiply_and_finish(
                multiply, V, held, first, count, room, U, C, k, vectors, M, bias, floor, temporary, y, winner, out,
                tiles_of, lanes,
            )  # fmt: skip
            k += vectors * lanes


@njit(cache=True, parallel=True)
def _by_filters(multiply, x, U, bias, y, winner, V, scratch, out, tiles_of, corner, floor, lanes):
    N, K, C = y.shape[0], y.shape[3], x.shape[3]
    size = x.shape[1:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    widest = min(WIDEST * lanes, K)
    x = x.reshape(-1)
    for tile in prange(tiles):
        patch = scratch[get_thread_id()]
        temporary = patch[36 * room :]
        transform_patch(x, size, tile, tiles_of, corner, room, patch, temporary, V, tile * room, tiles * room, lanes)
    for panel in prange((K + widest - 1) // widest):
        mine = scratch[get_thread_id()]
        M, temporary = mine[: 36 * tiles * widest], mine[36 * tiles * widest :]
        k, end = panel * widest, min((panel + 1) * widest, K)
        while k < end:
            vectors = panel_width((end - k) // lanes)
            _multiply_and_finish(
                multiply, V, tiles, k - k, tiles, room, U, C, k, vectors, M, bias, floor, temporary, y, winner, out,
                tiles_of, lanes,
            )  # fmt: skip
            k += vectors * lanes


@njit(cache=True, parallel=True)
def _kernel_to_points(kernel, U, lanes):
    """U = G g G^T, panel by panel as `product` reads it: (panel, 36, C, filters of the panel)."""
    _, _, C, K = kernel.shape
    kernel = kernel.reshape(-1)
    for c in prange(C):
        temporary = np.empty(18 * lanes, kernel.dtype)
        k = 0
        while k < K:
            vectors = panel_width((K - k) // lanes)
            panel = vectors * lanes
            for s in range(0, panel, lanes):
                for q in range(3):
                    store_all(temporary, q * lanes, 3 * lanes,
                              G(*load_all(kernel, (q * C + c) * K + k + s, 3 * C * K, 3)))  # fmt: skip
                for p in range(6):
                    store_all(U, 36 * C * k + (6 * p * C + c) * panel + s, C * panel,
                              G(*load_all(temporary, 3 * p * lanes, lanes, 3)))  # fmt: skip
            k += panel
