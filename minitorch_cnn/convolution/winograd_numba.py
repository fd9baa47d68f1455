"""The twin of `winograd`: a worker takes a few tiles through all three steps before their numbers leave its cache.

    few tiles:   patches -> V   (36, tiles, C)        additions, a vector of channels at a time
                 V @ U   -> M   (36, tiles, filters)  `block_product`, a panel of filters at a time
                 M -> y                               additions, bias and ReLU

Three steps over whole arrays would move 36 numbers for every 16 to memory and back, twice. Where a layer has many
filters and few tiles, that split would leave most workers idle and bring all of U to each of them; there V is computed
first, and each worker takes its own filters (`_by_filters`).

Every output is summed up in the same order however the work is split: the bits do not depend on the threads.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, njit, prange, uintp

from minitorch_cnn.backend.block_product_numba import WIDTHS, cut, fill_up, heights, multiplier, panel_width, product
from minitorch_cnn.backend.gemm_numba import one_type
from minitorch_cnn.backend.simd_numba import lanes, load_all, store_all
from minitorch_cnn.backend.workspace import workspace
from minitorch_cnn.convolution import row_windows_numba
from minitorch_cnn.convolution.epilogue_numba import pool_rows
from minitorch_cnn.convolution.geometry import output_size
from minitorch_cnn.convolution.row_windows_numba import CHUNKS, add_up, turn
from minitorch_cnn.convolution.winograd import PATCH, TILE, serves, tile_count
from minitorch_cnn.convolution.winograd_tiles_numba import GT, G, points_to_tile, transform_patch, transform_tile

CACHE_BYTES = 512 * 1024  # for V and M of the tiles that a worker holds
LEAST_TILES = 12  # at least so many, or U passes through the cache for too little
SUMMED_TILES = 512  # that `backward_kernel` transforms before it multiplies
WIDEST = WIDTHS[0]
POINTS, OUTPUTS = PATCH * PATCH, TILE * TILE


def forward(x, kernel, strides, padding, bias=None, relu=False, pool=False):
    """See `winograd.forward`; with `pool` what `pooled.forward` returns."""
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.forward(x, kernel, strides, padding, bias, relu, pool)
    out = output_size(x.shape[1:3], (3, 3), strides, padding)
    x, kernel, bias = one_type(x, kernel, np.zeros(kernel.shape[3], x.dtype) if bias is None else bias)
    return convolve(x, kernel, out, (padding[0][0], padding[1][0]), bias, relu, pool)


def backward_input(dy, kernel, input_shape, strides, padding):
    """See `winograd.backward_input`."""
    if not serves(kernel.shape[:2], strides):
        return row_windows_numba.backward_input(dy, kernel, input_shape, strides, padding)
    dy, kernel = one_type(dy, kernel)
    corner = 2 - padding[0][0], 2 - padding[1][0]
    return convolve(dy, turn(kernel), input_shape[1:3], corner, np.zeros(kernel.shape[2], dy.dtype), False)


def convolve(x, kernel, out, corner, bias, relu, pool=False):
    """See `winograd.convolve`, with bias, ReLU and pool."""
    N, _, _, C = x.shape
    K, L = kernel.shape[3], lanes(x.dtype)
    kernel, bias = fill_up(kernel, L), fill_up(bias, L)
    filled = kernel.shape[3]
    bias = np.append(bias, np.zeros(WIDEST * L, x.dtype))  # what `product` starts from
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
    tile = POINTS * (room + L) + OUTPUTS * panel  # a patch, a half-transformed vector of it, outputs to be pooled
    if 2 * tiles > K:
        scratch = workspace("winograd", (get_num_threads(), POINTS * held * (room + panel) + tile), x.dtype)
        _by_tiles(multiplier(x.dtype), x, U, bias, y, winner, scratch, out, (TH, TW), corner, floor, held, L)
    else:
        V = workspace("winograd V", POINTS * tiles * room, x.dtype)
        scratch = workspace("winograd", (get_num_threads(), POINTS * tiles * panel + tile), x.dtype)
        _by_filters(multiplier(x.dtype), x, U, bias, y, winner, V, scratch, out, (TH, TW), corner, floor, L)
    return (cut(y, K), cut(winner, K)) if pool else cut(y, K)


def backward_kernel(x, dy, kernel_shape, strides, padding):
    """See `winograd.backward_kernel`."""
    if not serves(kernel_shape[:2], strides):
        return row_windows_numba.backward_kernel(x, dy, kernel_shape, strides, padding)
    C, K = kernel_shape[2:]
    x, dy = one_type(x, dy)
    L = lanes(x.dtype)
    dy = fill_up(dy, L)
    filled, room = dy.shape[3], C + -C % L
    TH, TW = tile_count(dy.shape[1:3])
    tiles = len(x) * TH * TW
    sums, each = POINTS * C * filled, POINTS * (room + filled)
    corner, work = (padding[0][0], padding[1][0]), POINTS * (max(room, filled) + L)
    dU = workspace("winograd U", sums, x.dtype)
    if sums * x.itemsize <= 2 * CACHE_BYTES:
        held = max(1, CACHE_BYTES // (each * x.itemsize))
        chunks = min(CHUNKS, -(-tiles // held))
        partial = workspace("winograd dU", (chunks, sums), x.dtype)
        scratch = workspace("winograd", (get_num_threads(), held * each + work), x.dtype)
        _sum_by_tiles(multiplier(x.dtype), x, dy, partial, scratch, (TH, TW), corner, held, L)
        add_up(partial, dU)
    else:
        held = min(tiles, SUMMED_TILES)
        V = workspace("winograd V", POINTS * held * room, x.dtype)
        dM = workspace("winograd dM", POINTS * held * filled, x.dtype)
        scratch = workspace("winograd", (get_num_threads(), work), x.dtype)
        _sum_by_points(multiplier(x.dtype), x, dy, V, dM, dU, scratch, (TH, TW), corner, held, L)
    dkernel = np.empty((3, 3, C, filled), x.dtype)
    _points_to_kernel(dU, dkernel, L)
    return cut(dkernel, K)


@njit(cache=True, nogil=True)
def _multiply_and_finish(
    multiply, V, held, first, count, room, U, C, k, vectors, M, bias, floor, temporary, y, winner, out, tiles_of, lanes
):  # fmt: skip
    """M = V U for `vectors` vectors of filters from k on, and from there to y, for the tiles first..first+count-1."""
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


# The convolution, split by tiles or by filters.


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
        k = 0
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
        transform_patch(
            x, size, tile, tiles_of, corner, room, patch, temporary, V, tile * room, tiles * room, lanes
        )
    for panel in prange((K + widest - 1) // widest):
        mine = scratch[get_thread_id()]
        M, temporary = mine[: 36 * tiles * widest], mine[36 * tiles * widest :]
        k, end = panel * widest, min((panel + 1) * widest, K)
        while k < end:
            vectors = panel_width((end - k) // lanes)
            _multiply_and_finish(
                multiply, V, tiles, 0, tiles, room, U, C, k, vectors, M, bias, floor, temporary, y, winner, out,
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


# The kernel's gradient: sums over tiles, of each point.


@njit(cache=True, nogil=True)
def _add_products(multiply, V, dM, held, count, room, C, K, dU, dU_at, point, lanes):
    """dU[point] += V[point].T @ dM[point], over `count` tiles."""
    none, k = dU.dtype.type(-np.inf), 0
    while k < K:
        vectors = panel_width((K - k) // lanes)
        to = uintp(dU_at + point * C * K + k)
        product(
            multiply, uintp(C), uintp(vectors), uintp(1), uintp(count), V, uintp(point * held * room), uintp(1),
            uintp(0), uintp(room), dM, uintp(point * held * K + k), uintp(0), uintp(K), dU, to, uintp(K), none,
            dU, to, uintp(K),
        )  # fmt: skip
        k += vectors * lanes


@njit(cache=True, parallel=True)
def _sum_by_tiles(multiply, x, dy, partial, scratch, tiles_of, corner, held, lanes):
    """Each worker sums up its own tiles, few enough at a time to stay in its cache beside the sums."""
    N, K, C = dy.shape[0], dy.shape[3], x.shape[3]
    size = x.shape[1:]
    dy_size = dy.shape[1:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    x, dy, dU = x.reshape(-1), dy.reshape(-1), partial.reshape(-1)
    chunks = partial.shape[0]
    per_chunk = (tiles + chunks - 1) // chunks
    for chunk in prange(chunks):
        mine = scratch[get_thread_id()]
        V, dM = mine[: 36 * held * room], mine[36 * held * room : 36 * held * (room + K)]
        patch = mine[36 * held * (room + K) :]
        temporary = patch[36 * max(room, K) :]
        base = chunk * 36 * C * K
        for at in range(uintp(base), uintp(base + 36 * C * K)):
            dU[at] = 0
        end = min((chunk + 1) * per_chunk, tiles)
        for first in range(chunk * per_chunk, end, held):
            count = min(held, end - first)
            for t in range(count):
                transform_patch(
                    x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, held * room, lanes
                )
                transform_tile(dy, dy_size, first + t, tiles_of, patch, temporary, dM, t * K, held * K, lanes)
            for point in range(36):
                _add_products(multiply, V, dM, held, count, room, C, K, dU, base, point, lanes)


@njit(cache=True, parallel=True)
def _sum_by_points(multiply, x, dy, V, dM, dU, scratch, tiles_of, corner, held, lanes):
    """The sums are too large for that: all transform tiles together, then each worker multiplies its own points."""
    N, K, C = dy.shape[0], dy.shape[3], x.shape[3]
    size = x.shape[1:]
    dy_size = dy.shape[1:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    x, dy = x.reshape(-1), dy.reshape(-1)
    for first in range(0, tiles, held):
        count = min(held, tiles - first)
        for t in prange(count):
            patch = scratch[get_thread_id()]
            temporary = patch[36 * max(room, K) :]
            transform_patch(
                x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, held * room, lanes
            )
            transform_tile(dy, dy_size, first + t, tiles_of, patch, temporary, dM, t * K, held * K, lanes)
        for point in prange(36):
            if first == 0:
                for at in range(uintp(point * C * K), uintp((point + 1) * C * K)):
                    dU[at] = 0
            _add_products(multiply, V, dM, held, count, room, C, K, dU, 0, point, lanes)


@njit(cache=True, parallel=True)
def _points_to_kernel(dU, dkernel, lanes):
    """dkernel = G^T dU G."""
    C, K = dkernel.shape[2:]
    flat = dkernel.reshape(-1)
    for c in prange(C):
        temporary = np.empty(18 * lanes, dkernel.dtype)
        for k in range(0, K, lanes):
            for q in range(6):
                store_all(temporary, q * lanes, 6 * lanes, GT(*load_all(dU, (q * C + c) * K + k, 6 * C * K, 6)))
            for p in range(3):
                store_all(flat, (3 * p * C + c) * K + k, C * K, GT(*load_all(temporary, 6 * p * lanes, lanes, 6)))
