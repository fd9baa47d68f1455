"""The twins of `max_pool2d.max_pool` and `max_pool_backward` on a GPU."""

import math

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.layers import max_pool2d
from minitorch_cnn.twins.cuda.kernels import contiguous, launch, together
from minitorch_cnn.twins.window_arguments import check_pool, check_pool_backward


def max_pool(x: Array, window: tuple, strides: tuple, padding: tuple) -> tuple[Array, Array]:
    """See `max_pool2d.max_pool`."""
    out = check_pool(x, window, strides, padding)
    if not _fits_a_byte(window):
        return max_pool2d.max_pool.definition(x, window, strides, padding)
    x, xp = contiguous(x), namespace(x)
    N, H, W, C = x.shape
    y, winner = xp.empty((N, *out, C), dtype=x.dtype), xp.empty((N, *out, C), dtype="uint8")
    each, corner = together(C, x, y, winner), (padding[0][0], padding[1][0])
    geometry = H, W, C // each, *out, *window, *strides, *corner
    launch("max_pool", y.size // each, x, y, winner, *geometry, -math.inf, each=each)
    return y, winner


def max_pool_backward(
    dy: Array, winner: Array, input_shape: tuple, window: tuple, strides: tuple, padding: tuple
) -> Array:
    """See `max_pool2d.max_pool_backward`."""
    check_pool_backward(dy, winner, input_shape, window, strides, padding)
    if not _fits_a_byte(window):
        return max_pool2d.max_pool_backward.definition(dy, winner, input_shape, window, strides, padding)
    dy, winner = contiguous(dy), contiguous(winner)
    _, H, W, C = input_shape
    dx = namespace(dy).empty(tuple(input_shape), dtype=dy.dtype)
    each, corner = together(C, dy, winner, dx), (padding[0][0], padding[1][0])
    geometry = H, W, C // each, *dy.shape[1:3], *window, *strides, *corner
    launch("max_pool_backward", dx.size // each, dy, winner, dx, *geometry, each=each)
    return dx


def _fits_a_byte(window):
    return window[0] * window[1] <= 256
