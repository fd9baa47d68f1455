"""Solution 4; in the package, see `engine/convolution/im2col.py`."""

import numpy as np


def im2col(x, window, strides, padding):
    """Tap (p, q) of all windows is padded[:, p : p + SH * OH : SH, q : q + SW * OW : SW], the strides as steps."""
    (N, *_, C), (KH, KW), (SH, SW) = x.shape, window, strides
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    OH, OW = (padded.shape[1] - KH) // SH + 1, (padded.shape[2] - KW) // SW + 1
    columns = np.empty((N, OH, OW, KH, KW, C), x.dtype)
    for p in range(KH):
        for q in range(KW):
            columns[:, :, :, p, q] = padded[:, p : p + SH * OH : SH, q : q + SW * OW : SW]
    return columns.reshape(N * OH * OW, KH * KW * C)
