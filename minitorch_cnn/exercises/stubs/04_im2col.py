"""Exercise 4: every window as a row of a matrix.

    5x5 image, 3x3 kernel            columns: (9 windows, 9 taps)
    a b c d e                        a b c f g h k l m        <- window at (0, 0)
    f g h i j          im2col        b c d g h i l m n        <- window at (0, 1)
    k l m n o         ------->       c d e h i j m n o        <- window at (0, 2)
    p q r s t                        f g h k l m p q r        <- window at (1, 0)
    u v w x y                        ...

With this matrix a convolution is a single matrix product, columns @ kernel.reshape(KH*KW*C, K).

    row      n*OH*OW + i*OW + j      image n, output pixel (i, j)
    column   (p*KW + q)*C + c        tap (p, q), channel c: pixel (i*SH + p, j*SW + q) of the padded image

    OH = (H + top + bottom - KH) // SH + 1        and OW in the same way

Two loops over the taps (p, q) are enough: tap (p, q) of all windows together is a slice of the image with the strides
as steps. Loops over everything are right as well, only slow.

Check it:  minitorch-cnn exercise im2col
"""

import numpy as np


def im2col(x, window, strides, padding):
    """The columns (N*OH*OW, KH*KW*C) of x (N, H, W, C).

    Arguments: window (KH, KW), strides (SH, SW), padding ((top, bottom), (left, right)) with zeros.
    """
    raise NotImplementedError
