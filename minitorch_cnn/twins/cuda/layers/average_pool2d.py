"""The twins of `average_pool2d.image_mean` and `image_mean_backward` on a GPU.

As in `reductions.channel_sum` a thread adds up a stripe of rows, so a few large images keep the GPU busy too.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.cuda.kernels import contiguous, launch, together
from minitorch_cnn.twins.cuda.reductions import stripe_length
from minitorch_cnn.twins.window_arguments import check_image_mean, check_pool


def image_mean(x: Array) -> Array:
    """See `average_pool2d.image_mean`."""
    check_pool(x, tuple(x.shape[1:3]), (1, 1), ((0, 0), (0, 0)))
    N, H, W, C = x.shape
    means, stripes = contiguous(x).reshape(N, H * W, C), 0
    while stripes != 1:
        rows, each = means.shape[1], together(C, means)
        length = stripe_length(rows, N * C // each)
        x, stripes = means, -(-rows // length)
        means = namespace(x).empty((N, stripes, C), dtype=x.dtype)
        count = H * W if stripes == 1 else 1
        launch("mean_rows", means.size // each, x, means, rows, length, stripes, C // each, count, each=each)
    return means.reshape(N, C)


def image_mean_backward(dy: Array, size: tuple) -> Array:
    """See `average_pool2d.image_mean_backward`."""
    check_image_mean(dy, size)
    dy, (N, C), (H, W) = contiguous(dy), dy.shape, size
    dx = namespace(dy).empty((N, H, W, C), dtype=dy.dtype)
    each = together(C, dy, dx)
    launch("share", dx.size // each, dy, dx, H * W, C // each, H * W, each=each)
    return dx
