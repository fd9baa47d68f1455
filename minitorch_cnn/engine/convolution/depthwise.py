"""Depthwise convolution: each channel is filtered by itself, so a tap is multiplied number by number.

    y[n, i, j, c*M + m] = sum over p, q of x[n, i*SH + p*DH, j*SW + q*DW, c] * kernel[p, q, c, m]

Costs N*OH*OW*KH*KW*C*M multiplications, K times fewer than a convolution from C to K channels (Howard et al. 2017,
MobileNets), and each number is used only a few times: reading and writing them takes longer than multiplying.
"""

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution.geometry import crop, dilated_taps, output_size, pad, window_reach
from minitorch_cnn.engine.reductions import channel_sum


@accelerated
def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, dilation: tuple, bias: Array | None = None
) -> Array:
    """y (N, OH, OW, C*M) of x (N, H, W, C), kernel (KH, KW, C, M) and bias (C*M,)."""
    *window, C, M = kernel.shape
    out = output_size(x.shape[1:3], window_reach(window, dilation), strides, padding)
    y = namespace(x).zeros((len(x), *out, C, M), dtype=x.dtype)
    for p, q, tap in dilated_taps(pad(x, padding), window, strides, dilation, out):
        y += tap[..., None] * kernel[p, q]
    y = y.reshape(len(x), *out, C * M)
    return y if bias is None else y + bias


@accelerated
def backward_input(
    dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple, dilation: tuple
) -> Array:
    """dx (N, H, W, C): tap * kernel[p, q] was added to y, so dL/dtap = dy * kernel[p, q], summed over m."""
    *window, C, M = kernel.shape
    dx = pad(namespace(dy).zeros(input_shape, dtype=dy.dtype), padding)
    by_channel = dy.reshape(*dy.shape[:3], C, M)
    for p, q, tap in dilated_taps(dx, window, strides, dilation, dy.shape[1:3]):
        tap += (by_channel * kernel[p, q]).sum(axis=-1)
    return crop(dx, padding)


@accelerated
def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple, dilation: tuple) -> Array:
    """dkernel (KH, KW, C, M): dkernel[p, q] = tap * dy, summed over images and pixels."""
    *window, C, M = kernel_shape
    dkernel = namespace(x).empty(kernel_shape, dtype=x.dtype)
    by_channel = dy.reshape(*dy.shape[:3], C, M)
    for p, q, tap in dilated_taps(pad(x, padding), window, strides, dilation, dy.shape[1:3]):
        dkernel[p, q] = channel_sum((tap[..., None] * by_channel).reshape(-1, C * M)).reshape(C, M)
    return dkernel


class Depthwise:
    """An algorithm, as the modules of `convolution/`, for a `dilation` (rows, columns)."""

    __name__ = "depthwise"

    def __init__(self, dilation: tuple = (1, 1)) -> None:
        self.dilation = dilation

    def forward(self, x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
        """y (N, OH, OW, C*M)."""
        return forward(x, kernel, strides, padding, self.dilation, bias)

    def backward_input(self, dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dx (N, H, W, C)."""
        return backward_input(dy, kernel, input_shape, strides, padding, self.dilation)

    def backward_kernel(self, x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
        """dkernel (KH, KW, C, M)."""
        return backward_kernel(x, dy, kernel_shape, strides, padding, self.dilation)
