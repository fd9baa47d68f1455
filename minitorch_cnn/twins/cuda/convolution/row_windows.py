"""The twins of `row_windows`: the windows of all rows of all images at once, as one batched product for a kernel row.

The input is laid out as one long list of pixels, with zeros after each image row and after each image: what pads one
row on the right pads the next one on the left. With S pixels a row and T rows an image,

    pixel (n, h, w)                 is number  (n T + h) S + w
    output (n, i, j), kernel row p  sees KW pixels from number  (n T + i + p) S + j  on (before which `lead` zeros lie)

so window m + 1 begins one pixel after window m, everywhere, and kernel row p looks p S pixels further. Windows overlap,
and cuBLAS wants the rows of a matrix apart; so every KW-th of them makes a matrix, and a product has KW of those:

    matrix r:  windows r, r + KW, r + 2 KW, ...      rows of KW C numbers, KW C apart: they just touch

The output is as long as the input, with pixels between rows and images that mean nothing; what adds the bias leaves
them out. dx is the same with dy and the turned kernel. For dkernel[p] the windows are multiplied with dy, laid out
alike: in SPLIT pieces, so that all of the GPU has something to do, which are added up.

No columns: an image is read KH times where im2col writes and reads KH KW copies. Serves stride 1.
"""

from minitorch_cnn.arrays import namespace
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.twins.cuda.convolution import im2col as im2col_cuda
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu
from minitorch_cnn.twins.cuda.cublas import gemm
from minitorch_cnn.twins.cuda.kernels import launch, one_type
from minitorch_cnn.twins.cuda.reductions import channel_sum

SPLIT = 48  # pieces of the sum for dkernel


class Layout:
    """Where the pixels of N images of `size` (H, W) lie, padded for a `window`: S pixels a row, T rows an image."""

    def __init__(self, N, size, window, padding):
        (self.N, (self.H, self.W)), (self.KH, self.KW) = (N, size), window
        (self.top, bottom), (self.left, right) = padding
        self.out = output_size(size, window, (1, 1), padding)
        self.T, self.S = self.H + max(self.top, bottom), self.W + max(self.left, right)
        self.outputs = N * self.T * self.S  # those that mean nothing included
        self.lead = self.top * self.S + self.left

    def lay_out(self, x, lead, pixels):
        """x (N, H', W', C) as (pixels, C), zeros wherever there is no pixel of x."""
        _, H, W, C = x.shape
        flat = namespace(x).empty((pixels, C), dtype=x.dtype)
        launch("lay_out", flat.size, x, flat, self.N, H, W, C, self.T, self.S, lead)
        return flat

    def input(self, x, count):
        """x laid out for `count` windows."""
        return self.lay_out(x, self.lead, count + (self.KH - 1) * self.S + self.KW - 1)


def serves(window, strides, padding):
    """Whether the padding of one row and the next can be the same zeros: at stride 1, below the window's size."""
    least = tuple(min(side) for side in padding)
    return tuple(strides) == (1, 1) and 0 <= least[0] < window[0] and 0 <= least[1] < window[1]


def forward(x, kernel, strides, padding, bias=None, relu=False):
    """See `row_windows.forward`."""
    window = kernel.shape[:2]
    if not serves(window, strides, padding):
        return im2col_cuda.forward(x, kernel, strides, padding, bias, relu)
    x, kernel = one_type(x, kernel)
    return _convolve(x, kernel, Layout(len(x), x.shape[1:3], window, padding), bias, relu)


def backward_input(dy, kernel, input_shape, strides, padding):
    """See `row_windows.backward_input`."""
    window = KH, KW = kernel.shape[:2]
    (top, bottom), (left, right) = padding
    back = (KH - 1 - top, KH - 1 - bottom), (KW - 1 - left, KW - 1 - right)
    if tuple(strides) != (1, 1) or not serves(window, strides, back):
        return im2col_cuda.backward_input(dy, kernel, input_shape, strides, padding)
    dy, turned = one_type(dy, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return _convolve(dy, turned, Layout(len(dy), dy.shape[1:3], window, back), None, False)


def backward_kernel(x, dy, kernel_shape, strides, padding):
    """See `row_windows.backward_kernel`."""
    KH, KW, C, K = kernel_shape
    if not serves((KH, KW), strides, padding):
        return im2col_cuda.backward_kernel(x, dy, kernel_shape, strides, padding)
    x, dy = one_type(x, dy)
    layout = Layout(len(x), x.shape[1:3], (KH, KW), padding)
    split = max(SPLIT, KW)
    each = -(-layout.outputs // split)
    flat, dy_flat = layout.input(x, each * split), layout.lay_out(dy, 0, each * split)
    partial = namespace(x).empty((split, KH, KW * C, K), dtype=x.dtype)
    for p in range(KH):  # piece r: windows r, r + split, ... transposed, times the same rows of dy
        gemm(
            flat, dy_flat, partial, (KW * C, K, each), (split * C, split * K, K), transposed=(True, False),
            batch=split, strides=(C, K, KH * KW * C * K), offsets=(p * layout.S * C, 0, p * KW * C * K),
        )  # fmt: skip
    return channel_sum(partial.reshape(split, -1)).reshape(kernel_shape)


def _convolve(x, kernel, layout, bias, relu):
    KH, KW, C, K = kernel.shape
    xp = namespace(x)
    each = -(-layout.outputs // KW)
    flat = layout.input(x, each * KW)
    y_flat = xp.empty((each * KW, K), dtype=x.dtype)
    for p in range(KH):
        gemm(
            flat, kernel, y_flat, (each, K, KW * C), (KW * C, K, KW * K), batch=KW, strides=(C, 0, K),
            offsets=(p * layout.S * C, p * KW * C * K, 0), add=p > 0,
        )  # fmt: skip
    if layout.out == (layout.T, layout.S):  # nothing between the rows
        return bias_relu(y_flat[: layout.outputs].reshape(len(x), *layout.out, K), bias, relu)
    y = xp.empty((len(x), *layout.out, K), dtype=x.dtype)
    bias_or_any = y if bias is None else bias.astype(y.dtype, copy=False)
    launch("strip", y.size, y_flat, y, bias_or_any, *layout.out, K, layout.T, layout.S, bias is not None, relu)
    return y
