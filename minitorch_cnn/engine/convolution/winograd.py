"""Winograd's F(4x4, 3x3): a quarter of the multiplications (Lavin and Gray 2016, arXiv:1509.09308).

Sixteen outputs of a 3x3 convolution at stride 1 are computed from a 6x6 patch of the input. Directly that takes
16 * 9 = 144 multiplications for each pair of channels. A polynomial product can be had from its values at a few points,
and so can these sums: six points for a row of four outputs, 6 * 6 = 36 multiplications for the patch.

    d (6x6 patch)  ->  V = B^T d B                    the patch at the points
    g (3x3 kernel) ->  U = G g G^T                    the kernel at the points, once for all patches
                       M = V * U, summed over C       point by point: 36 matrix products (tiles, C) @ (C, K)
                       y = A^T M A                    from the points back to 4x4 outputs

B, G and A hold the powers of the points 0, 1, -1, 2, -2 and infinity, and small fractions, so V and y cost additions.
Every step is linear, so the gradients go back the same way, by the transposed matrices:

    dkernel = G^T [ sum over tiles of V^T (A dy A^T) ] G             again 36 products
    dx      = the convolution of dy with the turned kernel           as for every convolution at stride 1

Costs N * tiles * 36 * C * K multiplications, where the definition needs four times as many; patches at the edge may be
partly wasted (a 14x14 output is computed as 16x16). V takes 36/16 = 2.25 times the input's memory, M as much for the
output; the compiled twin (in `twins/numba/`) never holds more than a few tiles of them.

The price is exactness: the points' powers make rounding errors grow. In float32 the largest error is about 5e-6 of the
largest value, 1e-5 for a kernel's gradient over thousands of tiles; that of the other algorithms is 5e-7. The tests
hold it below `ERROR`. Float64 is as exact as anybody needs.
And a NaN or an infinity in a patch reaches all sixteen outputs of its tile, not only those that see it.
"""

from collections.abc import Sequence

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution import row_windows
from minitorch_cnn.engine.convolution.geometry import output_size

TILE, PATCH = 4, 6  # outputs of a tile, and what they see of the input
ERROR = 2e-5  # of the largest value: the bound in float32

BT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
AT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


def serves(kernel_size: Sequence, strides: Sequence) -> bool:
    """Whether the algorithm can compute this convolution: 3x3 at stride 1."""
    return tuple(kernel_size) == (3, 3) and tuple(strides) == (1, 1)


def sandwich(matrix: tuple, tiles: Array) -> Array:
    """matrix @ tile @ matrix.T for tiles (rows, columns, ...): the first two axes are transformed."""
    xp = namespace(tiles)
    matrix = xp.asarray(matrix, dtype=tiles.dtype)
    return xp.einsum("ip,pq...,jq->ij...", matrix, tiles, matrix)


def patches(x: Array, corner: tuple, tiles: tuple) -> Array:
    """(6, 6, N*TH*TW, C): patch (ti, tj) begins at pixel (4 ti, 4 tj) - `corner` of x (N, H, W, C), zeros outside."""
    xp = namespace(x)
    N, H, W, C = x.shape
    (TH, TW), (top, left) = tiles, corner
    room = xp.zeros((N, PATCH + TILE * (TH - 1), PATCH + TILE * (TW - 1), C), dtype=x.dtype)
    shown = x[:, max(-top, 0) :, max(-left, 0) :]
    here = room[:, max(top, 0) :, max(left, 0) :]
    rows, columns = min(shown.shape[1], here.shape[1]), min(shown.shape[2], here.shape[2])
    here[:, :rows, :columns] = shown[:, :rows, :columns]
    picked = [
        [room[:, p : p + TILE * TH - TILE + 1 : TILE, q : q + TILE * TW - TILE + 1 : TILE] for q in range(PATCH)]
        for p in range(PATCH)
    ]
    return xp.stack([xp.stack(row) for row in picked]).reshape(PATCH, PATCH, N * TH * TW, C)


def tile_count(out: tuple) -> tuple[int, int]:
    """(TH, TW): how many tiles cover an output of `out` (OH, OW)."""
    return -(-out[0] // TILE), -(-out[1] // TILE)


def convolve(x: Array, kernel: Array, out: tuple, corner: tuple) -> Array:
    """y (N, OH, OW, K): window (i, j) begins at pixel (i, j) - `corner` of x; outside x there are zeros."""
    K = kernel.shape[3]
    (OH, OW), (TH, TW) = out, tile_count(out)
    dtype = namespace(x).result_type(x, kernel)
    x, kernel = x.astype(dtype, copy=False), kernel.astype(dtype, copy=False)
    V = sandwich(BT, patches(x, corner, (TH, TW)))  # (6, 6, tiles, C)
    U = sandwich(G, kernel)  # (6, 6, C, K)
    y = sandwich(AT, V @ U)  # (4, 4, tiles, K)
    y = y.reshape(TILE, TILE, len(x), TH, TW, K).transpose(2, 3, 0, 4, 1, 5)
    return y.reshape(len(x), TILE * TH, TILE * TW, K)[:, :OH, :OW]


@accelerated
def forward(x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
    """y (N, OH, OW, K) of x (N, H, W, C) and kernel (3, 3, C, K); other convolutions go to `row_windows`."""
    if not serves(kernel.shape[:2], strides):
        return row_windows.forward(x, kernel, strides, padding, bias)
    out = output_size(x.shape[1:3], (3, 3), strides, padding)
    y = namespace(x).ascontiguousarray(convolve(x, kernel, out, (padding[0][0], padding[1][0])))
    return y if bias is None else y + bias


@accelerated
def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dx (N, H, W, C): the convolution of dy with the turned kernel."""
    if not serves(kernel.shape[:2], strides):
        return row_windows.backward_input(dy, kernel, input_shape, strides, padding)
    corner = 2 - padding[0][0], 2 - padding[1][0]
    dx = convolve(dy, row_windows.turned(kernel), input_shape[1:3], corner)
    return namespace(dx).ascontiguousarray(dx)


@accelerated
def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dkernel (3, 3, C, K): y = A^T (V U) A with U = G g G^T, so dL/dU = V^T (A dy A^T) and dL/dg = G^T dL/dU G."""
    if not serves(kernel_shape[:2], strides):
        return row_windows.backward_kernel(x, dy, kernel_shape, strides, padding)
    xp = namespace(x)
    dtype = xp.result_type(x, dy)
    x, dy = x.astype(dtype, copy=False), dy.astype(dtype, copy=False)
    TH, TW = tile_count(dy.shape[1:3])
    N, OH, OW, K = dy.shape
    V = sandwich(BT, patches(x, (padding[0][0], padding[1][0]), (TH, TW)))
    whole = xp.zeros((N, TILE * TH, TILE * TW, K), dtype=dy.dtype)
    whole[:, :OH, :OW] = dy
    whole = whole.reshape(N, TH, TILE, TW, TILE, K).transpose(2, 4, 0, 1, 3, 5).reshape(TILE, TILE, N * TH * TW, K)
    dM = sandwich(_transposed(AT), whole)  # (6, 6, tiles, K)
    dU = V.transpose(0, 1, 3, 2) @ dM  # (6, 6, C, K)
    return sandwich(_transposed(G), dU)


def _transposed(matrix):
    return tuple(zip(*matrix))
