"""The twins of `im2col`: kernels write the columns and gather them again, and cuBLAS multiplies.

As many images are processed at a time as have columns that fit `COLUMN_BYTES`; the columns of one image of 224x224 with
64 channels take 115 MB.
"""

import math
from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu
from minitorch_cnn.twins.cuda.cublas import product, product_in_pieces
from minitorch_cnn.twins.cuda.kernels import launch, one_type, together
from minitorch_cnn.twins.cuda.reductions import channel_sum
from minitorch_cnn.twins.window_arguments import check_backward_input, check_backward_kernel, check_forward

COLUMN_BYTES = 1 << 30


def forward(
    x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None, *, relu: bool = False
) -> Array:
    """See `im2col.forward`."""
    out = check_forward(x, kernel, strides, padding, bias)
    if bias is None:
        x, kernel = one_type(x, kernel)
    else:
        x, kernel, bias = one_type(x, kernel, bias)
    window, K = kernel.shape[:2], kernel.shape[3]
    y = namespace(x).empty((len(x), *out, K), dtype=x.dtype)
    for images in _parts(x, out, window):
        columns = im2col(x[images], window, strides, padding)
        product(columns, kernel.reshape(-1, K), out=y[images].reshape(-1, K))
    return bias_relu(y, bias, relu)


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.backward_input`."""
    check_backward_input(dy, kernel, input_shape, strides, padding)
    dy, kernel = one_type(dy, kernel)
    window, K = kernel.shape[:2], kernel.shape[3]
    dx = namespace(dy).empty(input_shape, dtype=dy.dtype)
    for images in _parts(dx, dy.shape[1:3], window):
        dcolumns = product(dy[images].reshape(-1, K), kernel.reshape(-1, K).T)
        col2im(dcolumns, dx[images], window, strides, padding)
    return dx


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.backward_kernel`."""
    check_backward_kernel(x, dy, kernel_shape, strides, padding)
    x, dy = one_type(x, dy)
    window, K = kernel_shape[:2], kernel_shape[3]
    dkernel: Any = None
    for images in _parts(x, dy.shape[1:3], window):
        columns = im2col(x[images], window, strides, padding)
        partial = product_in_pieces(columns, dy[images].reshape(-1, K))
        part = partial[0] if len(partial) == 1 else channel_sum(partial)
        dkernel = part if dkernel is None else dkernel + part
    return dkernel.reshape(kernel_shape)


def im2col(x: Array, window: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.im2col`; x must be C-contiguous."""
    N, H, W, C = x.shape
    OH, OW = output_size((H, W), window, strides, padding)
    if tuple(window) == (1, 1) and (OH, OW) == (H, W) and tuple(strides) == (1, 1):
        return x.reshape(-1, C)  # every pixel is its own window
    columns = namespace(x).empty((N * OH * OW, math.prod(window) * C), dtype=x.dtype)
    corner = padding[0][0], padding[1][0]
    each = together(C, x, columns)
    geometry = H, W, C // each, OH, OW, *window, *strides, *corner
    launch("im2col", columns.size // each, x, columns, *geometry, each=each)
    return columns


def col2im(columns: Array, dx: Array, window: tuple, strides: tuple, padding: tuple) -> Array:
    """See `im2col.col2im`; writes every element of dx (N, H, W, C) and returns it."""
    _, H, W, C = dx.shape
    out = output_size((H, W), window, strides, padding)
    corner = padding[0][0], padding[1][0]
    each = together(C, columns, dx)
    launch("col2im", dx.size // each, columns, dx, H, W, C // each, *out, *window, *strides, *corner, each=each)
    return dx


def _parts(x, out, window):
    """Slices of the batch whose columns fit `COLUMN_BYTES`."""
    each = math.prod(out) * math.prod(window) * x.shape[3] * x.itemsize
    images = max(1, COLUMN_BYTES // max(each, 1))
    return [slice(first, first + images) for first in range(0, len(x), images)]
