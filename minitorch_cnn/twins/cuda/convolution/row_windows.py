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
out in the same way, in as many pieces as keep the whole GPU busy, which are then added up. Both gradients can read the
same dy: rows and images of dx's layout are as long as those of x, and it only begins with more zeros.

With few channels and TF32, `tensor_cores.py` computes 3x3 convolutions without any of this.

There are no columns: each image is read KH times, where im2col writes and reads KH KW copies. For stride 1 only.
"""

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.arrays.dispatch import Unfit
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.twins.arguments import check_same_shape
from minitorch_cnn.twins.cuda.convolution import im2col as im2col_cuda
from minitorch_cnn.twins.cuda.convolution import tensor_cores
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu, bias_relu_backward
from minitorch_cnn.twins.cuda.cublas import gemm, pieces
from minitorch_cnn.twins.cuda.kernels import launch, one_type, together
from minitorch_cnn.twins.cuda.reductions import channel_sum, stripe_length
from minitorch_cnn.twins.window_arguments import check_backward_input, check_backward_kernel, check_forward


class Layout:
    """Where the pixels of N padded images of `size` (H, W) lie: S pixels per row, T rows per image."""

    def __init__(self, N: int, size: tuple, window: tuple, padding: tuple) -> None:
        (self.N, (self.H, self.W)), (self.KH, self.KW) = (N, size), window
        (self.top, bottom), (self.left, right) = padding
        self.out = output_size(size, window, (1, 1), padding)
        self.T, self.S = self.H + max(self.top, bottom), self.W + max(self.left, right)
        self.outputs = N * self.T * self.S  # including the meaningless ones
        self.lead = self.top * self.S + self.left

    def pixels(self, count: int) -> int:
        """How many pixels `count` windows see."""
        return count + (self.KH - 1) * self.S + self.KW - 1

    def lay_out(self, x: Array, lead: int, pixels: int) -> Array:
        """X (N, H', W', C) as (pixels, C), with `lead` zeros first and zeros wherever x has no pixel."""
        _, H, W, C = x.shape
        flat = namespace(x).empty((pixels, C), dtype=x.dtype)
        each = together(C, x, flat)
        geometry = self.N, H, W, C // each, self.T, self.S, lead
        launch("lay_out", flat.size // each, x, flat, *geometry, each=each)
        return flat

    def lay_out_masked(self, dy: Array, y: Array, lead: int, pixels: int) -> tuple[Array, Array]:
        """(dy where y > 0, else 0, as `lay_out` returns it, its sum over images and pixels (K,))."""
        _, H, W, K = dy.shape
        xp, each = namespace(dy), together(K, dy, y)
        length = stripe_length(pixels, K // each)
        flat, sums = xp.empty((pixels, K), dtype=dy.dtype), xp.empty((-(-pixels // length), K), dtype=dy.dtype)
        geometry = pixels, length, self.N, H, W, K // each, self.T, self.S, lead
        launch("mask_and_lay_out", sums.size // each, dy, y, flat, sums, *geometry, each=each)
        return flat, channel_sum(sums)

    def input(self, x: Array, count: int) -> Array:
        """X laid out for `count` windows."""
        return self.lay_out(x, self.lead, self.pixels(count))


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
    if tensor_cores.serves(x, kernel.shape, strides):
        return tensor_cores.forward(x, kernel, padding, bias, relu=relu)
    return _convolve(x, kernel, Layout(len(x), x.shape[1:3], window, padding), bias, relu)


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_input`."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    window, back = kernel.shape[:2], _back(kernel.shape, padding)
    if tuple(strides) != (1, 1) or not serves(window, strides, back):
        return im2col_cuda.backward_input(dy, kernel, input_shape, strides, padding)
    dy, kernel = one_type(dy, kernel)
    if tensor_cores.serves(dy, kernel.shape, strides):
        return tensor_cores.backward_input(dy, _turned(kernel), back)
    return _convolve(dy, _turned(kernel), Layout(len(dy), dy.shape[1:3], window, back), None, False)


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `row_windows.backward_kernel`."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
    KH, KW, C, K = kernel_shape
    if not serves((KH, KW), strides, padding):
        return im2col_cuda.backward_kernel(x, dy, kernel_shape, strides, padding)
    x, dy = one_type(x, dy)
    if tensor_cores.serves(x, kernel_shape, strides):
        return tensor_cores.backward_kernel(x, dy, padding)
    layout = Layout(len(x), x.shape[1:3], (KH, KW), padding)
    split, count = _split(layout, kernel_shape)
    return _kernel_gradient(layout.input(x, count), layout.lay_out(dy, 0, count), 0, layout, kernel_shape, split)


def backward_relu(
    dy: Array, y: Array, x: Array, kernel: Array, strides: tuple, padding: tuple, need_dx: bool = True
) -> tuple[Array | None, Array, Array]:  # fmt: skip
    """(dx or None, dkernel, dbias (K,)) of y (N, OH, OW, K) = relu(convolution of x + bias): all gradients at once.

    One kernel applies the ReLU's mask, adds up the bias's gradient and lays dy out, for both products.
    """
    check_backward_kernel(x, dy, kernel.shape, strides, padding)
    check_same_shape(dy, y)
    window, back = kernel.shape[:2], _back(kernel.shape, padding)
    if not (serves(window, strides, padding) and serves(window, strides, back)):
        raise Unfit("row_windows: expected a padding smaller than the window")
    dy, y, x, kernel = one_type(dy, y, x, kernel)
    if tensor_cores.serves(x, kernel.shape, strides):
        dscores, dbias = bias_relu_backward(dy, y)
        dx = tensor_cores.backward_input(dscores, _turned(kernel), back) if need_dx else None
        return dx, tensor_cores.backward_kernel(x, dscores, padding), dbias
    layout, dx_layout = Layout(len(x), x.shape[1:3], window, padding), Layout(len(x), dy.shape[1:3], window, back)
    assert (layout.T, layout.S) == (dx_layout.T, dx_layout.S)
    split, count = _split(layout, kernel.shape)
    pixels = max(dx_layout.lead + count, dx_layout.pixels(_windows(dx_layout)))
    flat, dbias = layout.lay_out_masked(dy, y, dx_layout.lead, pixels)
    dkernel = _kernel_gradient(layout.input(x, count), flat, dx_layout.lead, layout, kernel.shape, split)
    dx = _product(flat, _turned(kernel), dx_layout, None, False) if need_dx else None
    return dx, dkernel, dbias


def _back(kernel_shape, padding):
    """The padding of dy with which dx is a convolution."""
    return tuple(tuple(size - 1 - side for side in sides) for size, sides in zip(kernel_shape, padding))


def _turned(kernel):
    return namespace(kernel).ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))


def _split(layout, kernel_shape):
    """(number of pieces of the sum for dkernel, number of windows in all of them)."""
    _, KW, C, K = kernel_shape
    split = max(pieces(KW * C, K, layout.outputs), KW)
    return split, -(-layout.outputs // split) * split


def _kernel_gradient(flat, dy_flat, first, layout, kernel_shape, split):
    """dkernel of laid-out x and dy, in which dy's first pixel is number `first`."""
    KH, KW, C, K = kernel_shape
    each = -(-layout.outputs // split)
    partial = namespace(flat).empty((split, KH, KW * C, K), dtype=flat.dtype)
    for p in range(KH):  # piece r: windows r, r + split, ... transposed, times the same rows of dy
        gemm(
            flat, dy_flat, partial, (KW * C, K, each), (split * C, split * K, K), transposed=(True, False),
            batch=split, strides=(C, K, KH * KW * C * K), offsets=(p * layout.S * C, first * K, p * KW * C * K),
        )  # fmt: skip
    return channel_sum(partial.reshape(split, -1)).reshape(kernel_shape)


def _windows(layout):
    """The number of windows in all KW matrices, which are equally long."""
    return -(-layout.outputs // layout.KW) * layout.KW


def _convolve(x, kernel, layout, bias, relu):
    return _product(layout.input(x, _windows(layout)), kernel, layout, bias, relu)


def _product(flat, kernel, layout, bias, relu):
    """The convolution of laid-out x."""
    KH, KW, C, K = kernel.shape
    xp = namespace(flat)
    each = _windows(layout) // KW
    y_flat = xp.empty((each * KW, K), dtype=flat.dtype)
    for p in range(KH):
        gemm(
            flat, kernel, y_flat, (each, K, KW * C), (KW * C, K, KW * K), batch=KW, strides=(C, 0, K),
            offsets=(p * layout.S * C, p * KW * C * K, 0), add=p > 0,
        )  # fmt: skip
    if layout.out == (layout.T, layout.S):  # no meaningless pixels
        return bias_relu(y_flat[: layout.outputs].reshape(layout.N, *layout.out, K), bias, relu)
    y = xp.empty((layout.N, *layout.out, K), dtype=flat.dtype)
    each, bias_or_any = together(K, y_flat, y), y if bias is None else bias
    geometry = *layout.out, K // each, layout.T, layout.S, bias is not None, relu
    launch("strip", y.size // each, y_flat, y, bias_or_any, *geometry, each=each)
    return y
