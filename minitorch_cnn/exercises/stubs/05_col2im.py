"""Exercise 5: back to an image, adding up.

im2col copied every pixel into each window that contains it. If dcolumns says how much the loss grows with each copy,
then the gradient of the pixel is the sum over its copies:

    dx[n, h, w, c] = sum of dcolumns over all (i, j, p, q) with  i*SH + p = h + top  and  j*SW + q = w + left

Add everything up in a padded array of zeros and cut off the padding at the end, because the padding is not part of x.
The layout of the columns is the same as in exercise 4.

Check it:  minitorch-cnn exercise col2im
"""

import numpy as np


def col2im(columns, input_shape, window, strides, padding):
    """Dx of shape `input_shape` = (N, H, W, C) for columns (N*OH*OW, KH*KW*C).

    Arguments: window (KH, KW), strides (SH, SW), padding ((top, bottom), (left, right)).
    """
    raise NotImplementedError
