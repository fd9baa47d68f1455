"""im2col: lay out every window as a row of a matrix, and convolution is one matrix product.

    5x5 image, 3x3 kernel            columns: (OH*OW, KH*KW*C)
    a b c d e                        a b c f g h k l m        <- window at (0, 0)
    f g h i j          im2col        b c d g h i l m n        <- window at (0, 1)
    k l m n o         ------->       c d e h i j m n o        <- window at (0, 2)
    p q r s t                        f g h k l m p q r        <- window at (1, 0)
    u v w x y                        ...

    y       = columns @ kernel                      kernel as a matrix: (KH*KW*C, K)
    dkernel = columns.T @ dy
    dx      = col2im(dy @ kernel.T)                 every pixel adds up what its copies received

In NHWC the product already is the output in NHWC: nothing is transposed.

Costs the N*OH*OW*KH*KW*C*K multiplications of the definition, at the full speed of a matrix product, and memory for
the columns: KH*KW times the input at stride 1. The compiled twin (in `twins/numba/`) builds them block by block.
"""

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution.geometry import crop, output_size, pad


def im2col(x: Array, window: tuple, strides: tuple, padding: tuple) -> Array:
    """columns (N*OH*OW, KH*KW*C) of x (N, H, W, C): row n*OH*OW + i*OW + j is the window of output pixel (i, j)."""
    xp = namespace(x)
    N, H, W, C = x.shape
    (KH, KW), (SH, SW) = window, strides
    OH, OW = output_size((H, W), window, strides, padding)
    x_padded = pad(x, padding)
    columns = xp.empty((N, OH, OW, KH, KW, C), dtype=x.dtype)
    for p in range(KH):  # tap (p, q) of every window at once: the input shifted by (p, q)
        for q in range(KW):
            columns[:, :, :, p, q] = x_padded[:, p : p + SH * OH : SH, q : q + SW * OW : SW]
    return columns.reshape(N * OH * OW, KH * KW * C)


def col2im(columns: Array, input_shape: tuple, window: tuple, strides: tuple, padding: tuple) -> Array:
    """The transpose of `im2col`: dx (N, H, W, C) in which every pixel is the sum of its copies in `columns`."""
    xp = namespace(columns)
    N, H, W, C = input_shape
    (KH, KW), (SH, SW) = window, strides
    OH, OW = output_size((H, W), window, strides, padding)
    columns = columns.reshape(N, OH, OW, KH, KW, C)
    dx = pad(xp.zeros(input_shape, dtype=columns.dtype), padding)
    for p in range(KH):
        for q in range(KW):
            dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] += columns[:, :, :, p, q]
    return crop(dx, padding)


@accelerated
def forward(x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
    """y (N, OH, OW, K) of x (N, H, W, C) and kernel (KH, KW, C, K): y = im2col(x) @ kernel."""
    KH, KW, C, K = kernel.shape
    OH, OW = output_size(x.shape[1:3], (KH, KW), strides, padding)
    columns = im2col(x, (KH, KW), strides, padding)
    y = (columns @ kernel.reshape(KH * KW * C, K)).reshape(len(x), OH, OW, K)
    return y if bias is None else y + bias


@accelerated
def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dx (N, H, W, C): dL/dcolumns = dy @ kernel.T, since y = columns @ kernel; col2im adds the copies up."""
    KH, KW, C, K = kernel.shape
    dcolumns = dy.reshape(-1, K) @ kernel.reshape(KH * KW * C, K).T
    return col2im(dcolumns, input_shape, (KH, KW), strides, padding)


@accelerated
def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dkernel (KH, KW, C, K) = columns.T @ dy, since y = columns @ kernel."""
    columns = im2col(x, kernel_shape[:2], strides, padding)
    return (columns.T @ dy.reshape(-1, kernel_shape[3])).reshape(kernel_shape)
