"""Convolution as it is defined: one loop for every index. Slow, and the one that all others must agree with.

    y[n, i, j, k] = sum over p, q, c of  x[n, i*SH + p, j*SW + q, c] * kernel[p, q, c, k]

(x padded first; as everywhere in deep learning this is a correlation: the kernel is not flipped.)
The gradients follow from the same sum: each product x * kernel sends dy * kernel to x and dy * x to the kernel.

Costs N*OH*OW*KH*KW*C*K multiplications and no memory beyond the result; the loops over n, i, j run in Python.
"""

from itertools import product

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import crop, output_size, pad


def _windows(x_padded, window, strides, out):
    """For every output pixel (i, j) of size `out` the slices of the input window it looks at."""
    for i, j in product(range(out[0]), range(out[1])):
        rows = slice(i * strides[0], i * strides[0] + window[0])
        columns = slice(j * strides[1], j * strides[1] + window[1])
        yield i, j, rows, columns


def forward(x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
    """y (N, OH, OW, K) of x (N, H, W, C) and kernel (KH, KW, C, K)."""
    xp = namespace(x)
    KH, KW, C, K = kernel.shape
    OH, OW = output_size(x.shape[1:3], (KH, KW), strides, padding)
    x_padded = pad(x, padding)
    y = xp.zeros((len(x), OH, OW, K), dtype=x.dtype)
    for n in range(len(x)):
        for i, j, rows, columns in _windows(x_padded, (KH, KW), strides, (OH, OW)):
            for k in range(K):
                y[n, i, j, k] = (x_padded[n, rows, columns] * kernel[:, :, :, k]).sum()
    return y if bias is None else y + bias


def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dx (N, H, W, C): every input pixel collects dy * kernel from each window it was seen by."""
    xp = namespace(dy)
    KH, KW, C, K = kernel.shape
    dx = pad(xp.zeros(input_shape, dtype=dy.dtype), padding)
    for n in range(len(dy)):
        for i, j, rows, columns in _windows(dx, (KH, KW), strides, dy.shape[1:3]):
            for k in range(K):
                dx[n, rows, columns] += dy[n, i, j, k] * kernel[:, :, :, k]
    return crop(dx, padding)


def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dkernel (KH, KW, C, K): every weight collects dy * x over all images and positions it was used at."""
    xp = namespace(x)
    KH, KW, C, K = kernel_shape
    x_padded = pad(x, padding)
    dkernel = xp.zeros(kernel_shape, dtype=x.dtype)
    for n in range(len(x)):
        for i, j, rows, columns in _windows(x_padded, (KH, KW), strides, dy.shape[1:3]):
            for k in range(K):
                dkernel[:, :, :, k] += dy[n, i, j, k] * x_padded[n, rows, columns]
    return dkernel
