"""The twins of `depthwise` on a GPU: a thread for every number of the result, or for a stripe of the kernel's gradient.

Each number is used only a few times, so the time is that of reading and writing; what neighbouring windows share comes
from the cache.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.cuda.kernels import contiguous, launch, together
from minitorch_cnn.twins.cuda.reductions import channel_sum, stripe_length
from minitorch_cnn.twins.window_arguments import check_depthwise, check_depthwise_input, check_depthwise_kernel


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, dilation: tuple, bias: Array | None = None
) -> Array:
    """See `depthwise.forward`."""
    out = check_depthwise(x, kernel, strides, padding, dilation, bias)
    x, kernel = contiguous(x), contiguous(kernel)
    (*window, C, M), (_, H, W, _) = kernel.shape, x.shape
    y = namespace(x).empty((len(x), *out, C * M), dtype=x.dtype)
    bias_or_any, each = y if bias is None else contiguous(bias), _together(C, M, x, y)
    geometry = H, W, C * M // each, M, *out, *window, *strides, *dilation, padding[0][0], padding[1][0]
    launch("depthwise", y.size // each, x, kernel, bias_or_any, y, *geometry, bias is not None, each=each)
    return y


def backward_input(
    dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple, dilation: tuple
) -> Array:
    """See `depthwise.backward_input`."""
    check_depthwise_input(dy, kernel, input_shape, strides, padding, dilation)
    dy, kernel = contiguous(dy), contiguous(kernel)
    (*window, C, M), (_, H, W, _) = kernel.shape, input_shape
    dx = namespace(dy).empty(input_shape, dtype=dy.dtype)
    each = _together(C, M, dy, dx)
    geometry = H, W, C * M // each, M, *dy.shape[1:3], *window, *strides, *dilation, padding[0][0], padding[1][0]
    launch("depthwise_input", dx.size // each, dy, kernel, dx, *geometry, each=each)
    return dx


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple, dilation: tuple) -> Array:
    """See `depthwise.backward_kernel`."""
    check_depthwise_kernel(x, dy, kernel_shape, strides, padding, dilation)
    x, dy = contiguous(x), contiguous(dy)
    (KH, KW, C, M), (_, H, W, _) = kernel_shape, x.shape
    pixels, K, each = dy.size // (C * M), C * M, _together(C, M, x, dy)
    length = stripe_length(pixels, KH * KW * K // each)
    sums = namespace(x).empty((-(-pixels // length), KH * KW * K), dtype=x.dtype)
    geometry = H, W, K // each, M, *dy.shape[1:3], KH, KW, *strides, *dilation, padding[0][0], padding[1][0]
    launch("depthwise_kernel", sums.size // each, x, dy, sums, pixels, length, *geometry, each=each)
    return channel_sum(sums).reshape(kernel_shape)


def _together(C, M, *arrays):
    """Channels of a thread; with several filters per channel one."""
    return together(C, *arrays) if M == 1 else 1
