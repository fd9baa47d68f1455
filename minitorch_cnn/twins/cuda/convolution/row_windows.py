"""The twins of `row_windows`: the windows of all rows of all images at once, one batched product per kernel row.

The input is laid out as one long list of pixels, with zeros after each image row and after each image: the zeros that
pad one row on the right also pad the next one on the left. With S pixels per row and T rows per image,

    pixel (n, h, w)                 is number  (n T + h) S + w
    output (n, i, j), kernel row p  sees KW pixels from number  (n T + i + p) S + j  on (before which `lead` zeros lie)

so window m + 1 always begins one pixel after window m, and kernel row p begins p S pixels further on. These windows
overlap, but cuBLAS does not allow the rows of a matrix to overlap. So every KW-th window belongs to the same matrix,
and a product has KW matrices:

    matrix r:  windows r, r + KW, r + 2 KW, ...      rows of KW C numbers, KW C apart, so they just touch

The output is as long as the input and has meaningless pixels between rows and images, which are left out when the bias
is added. dx is the same with dy and the turned kernel. For dkernel[p] the windows are multiplied by dy, which is laid
out in the same way, in SPLIT pieces that keep the whole GPU busy and are then added up.

There are no columns: each image is read KH times, where im2col writes and reads KH KW copies. For stride 1 only.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.twins.arguments import check_backward_input, check_backward_kernel, check_forward
from minitorch_cnn.twins.cuda.convolution import im2col as im2col_cuda
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu
from minitorch_cnn.twins.cuda.cublas import gemm
from minitorch_cnn.twins.cuda.kernels import launch, one_type
from minitorch_cnn.twins.cuda.reductions import channel_sum

SPLIT = 48  # pieces of the sum for dkernel


class Layout:
    """Where the pixels of N padded images of `size` (H, W) lie: S pixels per row, T rows per image."""

    def __init__(self, N: int, size: tuple, window: tuple, padding: tuple) -> None:
        (self.N, (self.H, self.W)), (self.KH, self.KW) = (N, size), window
        (self.top, bottom), (self.left, right) = padding
        self.out = output_size(size, window, (1, 1), padding)
        self.T, self.S = self.H + max(self.top, bottom), self.W + max(self.left, right)
        self.outputs = N * self.T * self.S  # including the meaningless ones
        self.lead = self.top * self.S + self.left

    def lay_out(self, x: Array, lead: int, pixels: int) -> Array:
        """X (N, H', W', C) as (pixels, C), with `lead` zeros first and zeros wherever x has no pixel."""
        _, H, W, C = x.shape
        flat = namespace(x).empty((pixels, C), dtype=x.dtype)
        launch("lay_out", flat.size, x, flat, self.N, H, W, C, self.T, self.S, lead)
        return flat

    def input(self, x: Array, count: int) -> Array:
        """X laid out for `count` windows."""
        return self.lay_out(x, self.lead, count + (self.KH - 1) * self.S + self.KW - 1)


def serves(window: tuple, strides: tuple, padding: tuple) -> bool:
    """Whether consecutive rows can share their padding: at stride 1, if it is smaller than the window."""
    least = tuple(min(side) for side in padding)
    return tuple(strides) == (1, 1) and 0 <= least[0] < window[0] and 0 <= least[1] < window[1]


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, *, relu: bool = False
) -> Array:
    """See `row_windows.forward`."""
    check_forward(x, kernel, strides, padding, bias)
    window = kernel.shape[:2]
    if not serves(window, strides, padding):
        return im2col_cuda.forward(x, kernel, strides, padding, bias, relu=relu)
    if bias is None:
        x, kernel = one_type(x, kernel)
    else:
        x, kernel, bias = one_type(x, kernel, bias)
    return _convolve(x, kernel, Layout(len(x), x.shape[1:3], window, padding), bias, relu)


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_input`."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    window = KH, KW = kernel.shape[:2]
    (top, bottom), (left, right) = padding
    back = (KH - 1 - top, KH - 1 - bottom), (KW - 1 - left, KW - 1 - right)
    if tuple(strides) != (1, 1) or not serves(window, strides, back):
        return im2col_cuda.backward_input(dy, kernel, input_shape, strides, padding)
    dy, turned = one_type(dy, kernel[::-1, ::-1].transpose(0, 1, 3, 2))
    return _convolve(dy, turned, Layout(len(dy), dy.shape[1:3], window, back), None, False)


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_kernel`."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
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
    if layout.out == (layout.T, layout.S):  # no meaningless pixels
        return bias_relu(y_flat[: layout.outputs].reshape(len(x), *layout.out, K), bias, relu)
    y = xp.empty((len(x), *layout.out, K), dtype=x.dtype)
    bias_or_any = y if bias is None else bias
    launch("strip", y.size, y_flat, y, bias_or_any, *layout.out, K, layout.T, layout.S, bias is not None, relu)
    return y
