"""The gradient of the kernel for `winograd`: for each of the 36 points a sum over all tiles, dU = V^T dM.

If the sums of all points fit a worker's cache, each worker transforms and multiplies its own tiles (`_sum_by_tiles`).
If they do not, all workers transform some tiles together, and then each multiplies its own points (`_sum_by_points`).
Both add up pieces that the shapes alone decide, so the bits do not depend on the number of threads.
"""

import numpy as np
from numba import get_num_threads, get_thread_id, prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.engine.convolution.winograd import PATCH, tile_count
from minitorch_cnn.twins.numba.block_product import cut, fill_up, multiplier, panel_width, product
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.convolution.row_windows import CHUNKS
from minitorch_cnn.twins.numba.convolution.winograd_tiles import GT, points_apart, transform_patch, transform_tile
from minitorch_cnn.twins.numba.simd import lanes, load_all, store_all
from minitorch_cnn.twins.numba.sums import add_up
from minitorch_cnn.twins.numba.workspace import workspace

CACHE_BYTES = 512 * 1024  # for V and dM of the tiles that a worker holds; twice as much for its sums
SUMMED_TILES = 512  # tiles that are transformed before they are multiplied
POINTS = PATCH * PATCH


def kernel_gradient(x: Array, dy: Array, corner: tuple) -> Array:
    """dkernel (3, 3, C, K) of x (N, H, W, C) and dy (N, OH, OW, K); the first window begins at -`corner` of x."""
    C, K, L = x.shape[3], dy.shape[3], lanes(x.dtype)
    dy = fill_up(dy, L)
    filled, room = dy.shape[3], C + -C % L
    TH, TW = tile_count(dy.shape[1:3])
    tiles = len(x) * TH * TW
    sums, each = POINTS * C * filled, POINTS * (room + filled)
    work = POINTS * (max(room, filled) + L)
    dU = workspace("winograd U", sums, x.dtype)
    if sums * x.itemsize <= 2 * CACHE_BYTES:
        held = max(1, CACHE_BYTES // (each * x.itemsize))
        apart = points_apart(held * room, x.itemsize), points_apart(held * filled, x.itemsize)
        chunks = min(CHUNKS, -(-tiles // held))
        partial = workspace("winograd dU", (chunks, sums), x.dtype)
        scratch = workspace("winograd", (get_num_threads(), POINTS * sum(apart) + work), x.dtype)
        _sum_by_tiles(multiplier(x.dtype), x, dy, partial, scratch, (TH, TW), corner, held, apart, L)
        add_up(partial, dU)
    else:
        held = min(tiles, SUMMED_TILES)
        apart = points_apart(held * room, x.itemsize), points_apart(held * filled, x.itemsize)
        V = workspace("winograd V", POINTS * apart[0], x.dtype)
        dM = workspace("winograd dM", POINTS * apart[1], x.dtype)
        scratch = workspace("winograd", (get_num_threads(), work), x.dtype)
        _sum_by_points(multiplier(x.dtype), x, dy, V, dM, dU, scratch, (TH, TW), corner, held, apart, L)
    dkernel = empty((3, 3, C, filled), x.dtype)
    _points_to_kernel(dU, dkernel, L)
    return cut(dkernel, K)


@njit(nogil=True)
def _add_products(multiply, V, dM, apart, count, room, C, K, dU, dU_at, point, lanes):
    """dU[point] += V[point].T @ dM[point], over `count` tiles; `apart` are the distances between points of V and dM."""
    none, k = dU.dtype.type(-np.inf), 0
    while k < K:
        vectors = panel_width((K - k) // lanes)
        to = uintp(dU_at + point * C * K + k)
        product(
            multiply, uintp(C), uintp(vectors), uintp(1), uintp(count), V, uintp(point * apart[0]), uintp(1),
            uintp(0), uintp(room), dM, uintp(point * apart[1] + k), uintp(0), uintp(K), dU, to, uintp(K), none,
            dU, to, uintp(K),
        )  # fmt: skip
        k += vectors * lanes


@njit(parallel=True)
def _sum_by_tiles(multiply, x, dy, partial, scratch, tiles_of, corner, held, apart, lanes):
    """Each worker sums over its own tiles, few enough at a time to stay in its cache beside the sums."""
    N, K, C = dy.shape[0], dy.shape[3], x.shape[3]
    size = x.shape[1:]
    dy_size = dy.shape[1:]
    tiles, room = N * tiles_of[0] * tiles_of[1], (C + lanes - 1) // lanes * lanes
    x, dy, dU = x.reshape(-1), dy.reshape(-1), partial.reshape(-1)
    chunks = partial.shape[0]
    per_chunk = (tiles + chunks - 1) // chunks
    for chunk in prange(chunks):
        mine = scratch[get_thread_id()]
        V, dM = mine[: 36 * apart[0]], mine[36 * apart[0] : 36 * (apart[0] + apart[1])]
        patch = mine[36 * (apart[0] + apart[1]) :]
        temporary = patch[36 * max(room, K) :]
        base = chunk * 36 * C * K
        for at in range(uintp(base), uintp(base + 36 * C * K)):
            dU[at] = 0
        end = min((chunk + 1) * per_chunk, tiles)
        for first in range(chunk * per_chunk, end, held):
            count = min(held, end - first)
            for t in range(count):
                transform_patch(
                    x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, apart[0], lanes
                )
                transform_tile(dy, dy_size, first + t, tiles_of, patch, temporary, dM, t * K, apart[1], lanes)
            for point in range(36):
                _add_products(multiply, V, dM, apart, count, room, C, K, dU, base, point, lanes)


@njit(parallel=True)
def _sum_by_points(multiply, x, dy, V, dM, dU, scratch, tiles_of, corner, held, apart, lanes):
    """For sums too large for that: all workers transform tiles together, then each multiplies its own points."""
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
                x, size, first + t, tiles_of, corner, room, patch, temporary, V, t * room, apart[0], lanes
            )
            transform_tile(dy, dy_size, first + t, tiles_of, patch, temporary, dM, t * K, apart[1], lanes)
        for point in prange(36):
            if first == 0:
                for at in range(uintp(point * C * K), uintp((point + 1) * C * K)):
                    dU[at] = 0
            _add_products(multiply, V, dM, apart, count, room, C, K, dU, point - point, point, lanes)


@njit(parallel=True)
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
