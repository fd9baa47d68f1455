"""Row windows: the rows of a window are contiguous already, so multiply them where they lie.

In NHWC the KW pixels of a kernel row are KW*C neighbouring numbers, and the window one step to the right begins C
numbers later (times the stride). So the windows of an image row are a matrix (OW, KW*C) whose rows overlap in memory:

    image row, 5 pixels of C channels:      |a|b|c|d|e|
    windows of KW = 3, rows of the matrix:  |a b c|
                                              |b c d|
                                                |c d e|

    y       = sum over p of windows(x, p) @ kernel[p]        one product for each of the KH kernel rows
    dkernel[p] = windows(x, p).T @ dy
    dx      = the same convolution again at stride 1: dy with the kernel turned by 180 degrees, C and K exchanged

It is im2col without the columns. Costs the N*OH*OW*KH*KW*C*K multiplications of the definition, and no memory but, in
the compiled twin (in `twins/numba/`), a few rows of the image with their padding.
"""

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution import im2col
from minitorch_cnn.engine.convolution.geometry import crop, output_size, pad
from minitorch_cnn.errors import ShapeError


def windows(x_padded: Array, p: int, width: int, strides: tuple, out: tuple) -> Array:
    """(N*OH*OW, KW*C): for each output pixel, kernel row p of its window."""
    xp = namespace(x_padded)
    (OH, OW), (SH, SW) = out, strides
    N, H, W, C = x_padded.shape
    if min(SH, SW) < 1 or p + SH * (OH - 1) >= H or SW * (OW - 1) + width > W:  # `as_strided` checks nothing
        raise ShapeError(f"row windows: {OH}x{OW} at strides {strides} do not fit into {H}x{W} padded pixels")
    by_image, by_row, by_column, by_channel = x_padded.strides
    rows = xp.lib.stride_tricks.as_strided(
        x_padded[:, p:], (N, OH, OW, width * C), (by_image, SH * by_row, SW * by_column, by_channel)
    )
    return rows.reshape(N * OH * OW, width * C)


@accelerated
def forward(x: Array, kernel: Array, strides: tuple, padding: tuple, bias: Array | None = None) -> Array:
    """y (N, OH, OW, K) of x (N, H, W, C) and kernel (KH, KW, C, K)."""
    KH, KW, C, K = kernel.shape
    out = output_size(x.shape[1:3], (KH, KW), strides, padding)
    x_padded = namespace(x).ascontiguousarray(pad(x, padding))
    y = sum(windows(x_padded, p, KW, strides, out) @ kernel[p].reshape(KW * C, K) for p in range(KH))
    y = y.reshape(len(x), *out, K)
    return y if bias is None else y + bias


@accelerated
def backward_input(dy: Array, kernel: Array, input_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dx (N, H, W, C): every pixel collects from the windows it lies in, which is a convolution with dy.

    At other strides than 1 the windows of dy have gaps, so there im2col's way is taken.
    """
    if tuple(strides) != (1, 1):
        return im2col.backward_input(dy, kernel, input_shape, strides, padding)
    KH, KW, _, _ = kernel.shape
    everywhere = ((KH - 1, KH - 1), (KW - 1, KW - 1))  # every place where window and dy touch
    return crop(forward(dy, turned(kernel), strides, everywhere), padding)


@accelerated
def backward_kernel(x: Array, dy: Array, kernel_shape: tuple, strides: tuple, padding: tuple) -> Array:
    """dkernel (KH, KW, C, K): kernel[p] multiplied windows(x, p), so dkernel[p] = windows(x, p).T @ dy."""
    xp = namespace(x)
    KH, KW, C, K = kernel_shape
    x_padded = xp.ascontiguousarray(pad(x, padding))
    dy_rows = dy.reshape(-1, K)
    rows = [windows(x_padded, p, KW, strides, dy.shape[1:3]).T @ dy_rows for p in range(KH)]
    return xp.stack(rows).reshape(kernel_shape)


def turned(kernel: Array) -> Array:
    """The kernel (KH, KW, K, C) that takes dy back to dx: turned by 180 degrees, input and output exchanged."""
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2)
