"""Exercise 5: and back, adding up.

im2col copied every pixel into each window that sees it. If dcolumns says how much the loss grows with each copy, then
the pixel's own gradient is the sum over its copies:

    dx[n, h, w, c] = sum of dcolumns over all (i, j, p, q) with  i*SH + p = h + top  and  j*SW + q = w + left

Build it in a padded array of zeros, and cut the padding off at the end: what came back to a padding's zero goes
nowhere. The layout of the columns is that of exercise 4.

Check it:  minitorch-cnn exercise col2im
"""

import numpy as np


def col2im(columns, input_shape, window, strides, padding):
    """dx (N, H, W, C) = `input_shape`, for columns (N*OH*OW, KH*KW*C).

    window (KH, KW), strides (SH, SW), padding ((top, bottom), (left, right)).
    """
    raise NotImplementedError
