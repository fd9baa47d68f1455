"""Solution 5; in the package, see `engine/convolution/im2col.py`."""

import numpy as np


def col2im(columns, input_shape, window, strides, padding):
    """im2col's loops with the sides swapped: dx[:, p : p + SH * OH : SH, ...] += columns[:, :, :, p, q], then cut."""
    (N, H, W, C), (KH, KW), (SH, SW) = input_shape, window, strides
    (top, bottom), (left, right) = padding
    dx = np.zeros((N, H + top + bottom, W + left + right, C), columns.dtype)
    OH, OW = (dx.shape[1] - KH) // SH + 1, (dx.shape[2] - KW) // SW + 1
    columns = columns.reshape(N, OH, OW, KH, KW, C)
    for p in range(KH):
        for q in range(KW):
            dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] += columns[:, :, :, p, q]
    return dx[:, top : top + H, left : left + W]
