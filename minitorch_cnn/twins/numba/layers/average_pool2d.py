"""The twins of `average_pool2d.image_mean` and `image_mean_backward`: one image a worker."""

import numpy as np
from numba import prange, uintp

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.memory import empty
from minitorch_cnn.twins.arguments import check_images
from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.operands import one_type
from minitorch_cnn.twins.numba.reductions import channel_sum, row_sums
from minitorch_cnn.twins.numba.rows import tiles
from minitorch_cnn.twins.window_arguments import check_image_mean


def image_mean(x: Array) -> Array:
    """See `average_pool2d.image_mean`; a single image is divided among the workers as in `reductions.channel_sum`."""
    check_images(x)
    (x,), (N, H, W, C) = one_type(x), x.shape
    if N == 1:
        sums = channel_sum(x)[None]
    else:
        sums = np.empty((N, C), x.dtype)
        row_sums(x.reshape(-1), C, tiles(C), H * W, sums)
    return sums * x.dtype.type(1 / (H * W))


def image_mean_backward(dy: Array, size: tuple) -> Array:
    """See `average_pool2d.image_mean_backward`."""
    check_image_mean(dy, size)
    (dy,), (N, C), (H, W) = one_type(dy), dy.shape, size
    dx = empty((N, H, W, C), dy.dtype)
    _share(dy * dy.dtype.type(1 / (H * W)), dx.reshape(N, H * W, C))
    return dx


@njit(parallel=True)
def _share(share, dx):
    N, pixels, C = dx.shape
    for n in prange(N):
        for i in range(uintp(pixels)):
            for c in range(uintp(C)):
                dx[n, i, c] = share[n, c]
