"""Single tiles for `winograd`: from a patch, an output tile or its gradient to the 36 points and back.

One row or column is transformed at a time, for a vector of channels at once; the matrices are in `engine/`'s
`winograd.py`.
"""

from numba import uintp

from minitorch_cnn.arrays.memory import LINE
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.simd import at_least, load, load_all, multiply_add, splat, store, store_all


def points_apart(elements: int, itemsize: int) -> int:
    """How far apart the 36 points are stored, if each takes so many elements: an odd number of cache lines.

    A cache has few places for lines whose addresses differ by a power of two, too few for 36.
    """
    line = LINE // itemsize
    return (-(-elements // line) | 1) * line


# The transforms of one row or column of vectors, each named like its matrix.


@njit(nogil=True)
def BT(d0, d1, d2, d3, d4, d5):
    a, b, c, d = d4 - 4 * d2, d3 - 4 * d1, d4 - d2, 2 * (d3 - d1)
    return 4 * d0 - 5 * d2 + d4, a + b, a - b, c + d, c - d, 4 * d1 - 5 * d3 + d5


@njit(nogil=True)
def G(g0, g1, g2):
    a, b, c = (-1 / 6) * (g0 + g2), (1 / 6) * g1, (1 / 24) * g0 + (1 / 6) * g2
    d = (1 / 12) * g1
    return 0.25 * g0, a - b, a + b, c + d, c - d, g2


@njit(nogil=True)
def GT(u0, u1, u2, u3, u4, u5):
    a, b, c, d = (1 / 6) * (u1 + u2), (1 / 6) * (u2 - u1), u3 + u4, u3 - u4
    return 0.25 * u0 - a + (1 / 24) * c, b + (1 / 12) * d, (1 / 6) * c - a + u5


@njit(nogil=True)
def AT(m0, m1, m2, m3, m4, m5):
    a, b, c, d = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return m0 + a + c, b + 2 * d, a + 4 * c, b + 8 * d + m5


@njit(nogil=True)
def A(y0, y1, y2, y3):
    a, b, c, d = y0 + y2, y1 + y3, y0 + 4 * y2, 2 * y1 + 8 * y3
    return y0, a + b, a - b, c + d, c - d, y3


# Steps for one tile. `temporary` holds a patch that has been transformed along one axis but not yet along the other.


@njit(nogil=True)
def patch_to_points(x, at, row, pixel, channels, temporary, V, V_at, point, lanes):
    """V = B^T d B for the patch d at position `at` of x; its rows are `row` elements apart, the points of V `point`."""
    for c in range(0, channels, lanes):
        for q in range(6):
            store_all(temporary, q * lanes, 6 * lanes, BT(*load_all(x, at + q * pixel + c, row, 6)))
        for p in range(6):
            store_all(V, V_at + 6 * p * point + c, point, BT(*load_all(temporary, 6 * p * lanes, lanes, 6)))


@njit(nogil=True)
def tile_to_points(dy, at, row, pixel, filters, temporary, dM, dM_at, point, lanes):
    """dM = A dy A^T for the 4x4 tile at position `at` of dy."""
    for k in range(0, filters, lanes):
        for j in range(4):
            store_all(temporary, j * lanes, 4 * lanes, A(*load_all(dy, at + j * pixel + k, row, 4)))
        for p in range(6):
            store_all(dM, dM_at + 6 * p * point + k, point, A(*load_all(temporary, 4 * p * lanes, lanes, 4)))


@njit(nogil=True)
def points_to_tile(M, M_at, point, filters, bias, k_first, floor, temporary, y, at, row, pixel, rows, columns, lanes):
    """y = max(floor, A^T M A + bias) for the `rows` x `columns` outputs of the tile that lie in the image."""
    least = splat(floor)
    for k in range(0, filters, lanes):
        b = load(bias, k_first + k)
        for q in range(6):
            store_all(temporary, q * lanes, 6 * lanes, AT(*load_all(M, M_at + q * point + k, 6 * point, 6)))
        for i in range(rows):
            y0, y1, y2, y3 = AT(*load_all(temporary, 6 * i * lanes, lanes, 6))
            to = at + i * row + k
            store(y, to, at_least(y0 + b, least))
            if columns > 1:
                store(y, to + pixel, at_least(y1 + b, least))
            if columns > 2:
                store(y, to + 2 * pixel, at_least(y2 + b, least))
            if columns > 3:
                store(y, to + 3 * pixel, at_least(y3 + b, least))


@njit(nogil=True)
def _scaled(factor, g0, g1, g2):
    zero = factor - factor
    return multiply_add(factor, g0, zero), multiply_add(factor, g1, zero), multiply_add(factor, g2, zero)


@njit(nogil=True)
def filters_to_points(kernel, scale, c_first, c_last, C, K, k, vectors, temporary, U, U_at, point, lanes):
    """U = scale * G g G^T for `vectors` vectors of filters from k on and the channels c_first..c_last-1.

    Channel c_first is written at U_at, and the points are `point` apart. Neighbours in memory are written one after the
    other, so the cache has to take each line only once.
    """
    panel = vectors * lanes
    for c in range(c_first, c_last):
        for s in range(vectors):
            factor = load(scale, k + s * lanes)
            for q in range(3):
                g = _scaled(factor, *load_all(kernel, (q * C + c) * K + k + s * lanes, 3 * C * K, 3))
                store_all(temporary, (18 * s + q) * lanes, 3 * lanes, G(*g))
        for p in range(6):
            for s in range(vectors):
                store_all(U, U_at + 6 * p * point + (c - c_first) * panel + s * lanes, point,
                          G(*load_all(temporary, (18 * s + 3 * p) * lanes, lanes, 3)))  # fmt: skip


@njit(nogil=True)
def copy_square(x, size, n, first_row, first_column, edge, room, to):
    """Copy a square of `edge` pixels of image n to `to`, with `room` elements per pixel and zeros outside the image."""
    H, W, C = size
    for p in range(edge):
        for q in range(edge):
            h, w, at = first_row + p, first_column + q, uintp((p * edge + q) * room)
            if 0 <= h < H and 0 <= w < W:
                source = uintp(((n * H + h) * W + w) * C)
                for c in range(uintp(C)):
                    to[at + c] = x[source + c]
                for c in range(uintp(C), uintp(room)):
                    to[at + c] = 0
            else:
                for c in range(uintp(room)):
                    to[at + c] = 0


@njit(nogil=True)
def transform_patch(x, size, tile, tiles_of, corner, room, patch, temporary, V, V_at, point, lanes):
    """Transform patch number `tile` to its points; at the image's edge, by way of a copy padded with zeros."""
    H, W, C = size
    TH, TW = tiles_of
    n, t = tile // (TH * TW), tile % (TH * TW)
    h, w = t // TW * 4 - corner[0], t % TW * 4 - corner[1]
    if h >= 0 and w >= 0 and h + 6 <= H and w + 6 <= W and room == C:
        patch_to_points(x, ((n * H + h) * W + w) * C, W * C, C, C, temporary, V, V_at, point, lanes)
    else:
        zero = tile - tile  # Numba would compile the functions once more for a literal 0 or 6
        copy_square(x, size, n, h, w, zero + 6, room, patch)
        patch_to_points(patch, zero, 6 * room, room, room, temporary, V, V_at, point, lanes)


@njit(nogil=True)
def transform_tile(dy, size, tile, tiles_of, patch, temporary, dM, dM_at, point, lanes):
    """Transform the gradient of tile number `tile` to its points; outside the output it counts as zero."""
    OH, OW, K = size
    TH, TW = tiles_of
    n, place = tile // (TH * TW), tile % (TH * TW)
    i, j = place // TW * 4, place % TW * 4
    if i + 4 <= OH and j + 4 <= OW:
        tile_to_points(dy, ((n * OH + i) * OW + j) * K, OW * K, K, K, temporary, dM, dM_at, point, lanes)
    else:
        zero = tile - tile
        copy_square(dy, size, n, i, j, zero + 4, K, patch)
        tile_to_points(patch, zero, 4 * K, K, K, temporary, dM, dM_at, point, lanes)
