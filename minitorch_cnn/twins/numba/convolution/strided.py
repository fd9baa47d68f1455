"""A 1x1 convolution with strides looks at every SH-th row and every SW-th column: these pixels are taken out first.

What is left is a 1x1 convolution at stride 1, which is one matrix product. Its gradient goes back to the same pixels,
and all others get zero.
"""

from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import contiguous


def is_strided(kernel_shape: tuple, strides: tuple, padding: tuple) -> bool:
    """Whether the convolution is a 1x1 convolution with strides and without padding."""
    return kernel_shape[:2] == (1, 1) and strides != (1, 1) and padding == ((0, 0), (0, 0))


def taken(x: Array, strides: tuple) -> Array:
    """(N, OH, OW, C): the pixels of x (N, H, W, C) that a window of 1x1 sees."""
    N, H, W, C = x.shape
    SH, SW = strides
    y = empty((N, -(-H // SH), -(-W // SW), C), x.dtype)
    _take(contiguous(x), y, SH, SW)
    return y


def spread(dy: Array, input_shape: tuple, strides: tuple) -> Array:
    """dx of shape `input_shape` with dy (N, OH, OW, C) at the pixels that `taken` takes, and zeros elsewhere."""
    dx = empty(input_shape, dy.dtype)
    _spread(contiguous(dy), dx, *strides)
    return dx


@njit(parallel=True)
def _take(x, y, SH, SW):
    N, OH, OW, C = y.shape
    H, W = x.shape[1:3]
    x, y = x.reshape(-1), y.reshape(-1)
    for row in prange(N * OH):
        source = uintp(((row // OH) * H + row % OH * SH) * W * C)
        to = uintp(row * OW * C)
        for j in range(uintp(OW)):
            for c in range(uintp(C)):
                y[to + j * uintp(C) + c] = x[source + j * uintp(SW * C) + c]


@njit(parallel=True)
def _spread(dy, dx, SH, SW):
    N, H, W, C = dx.shape
    OH, OW = dy.shape[1:3]
    dy, dx = dy.reshape(-1), dx.reshape(-1)
    for row in prange(N * H):
        n, h = row // H, row % H
        to = uintp(row * W * C)
        for at in range(to, to + uintp(W * C)):
            dx[at] = 0
        if h % SH == 0:
            source = uintp((n * OH + h // SH) * OW * C)
            for j in range(uintp(OW)):
                for c in range(uintp(C)):
                    dx[to + j * uintp(SW * C) + c] = dy[source + j * uintp(C) + c]
