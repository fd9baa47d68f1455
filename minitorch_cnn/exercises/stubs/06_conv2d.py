"""Exercise 6: the way back through a convolution.

With the columns of exercise 4 and the kernel as a matrix, a convolution is a dense layer:

    columns = im2col(x)                                     (N*OH*OW, KH*KW*C)
    y       = columns @ kernel.reshape(KH*KW*C, K) + bias   (N*OH*OW, K), then (N, OH, OW, K)

so exercise 1 gives the gradients of the matrix product, and exercise 5 takes the one for the columns back to x:

    dkernel = ...                        (KH, KW, C, K)
    dbias   = ...                        (K,)
    dx      = col2im(dcolumns)           (N, H, W, C)

Yours from the exercises before can be pasted here; or take ours, as imported below.

Check it:  minitorch-cnn exercise conv2d
"""

import numpy as np

from minitorch_cnn.engine.convolution.im2col import col2im, im2col


def conv2d_backward(dy, x, kernel, strides, padding):
    """(dx, dkernel, dbias) for dy (N, OH, OW, K), x (N, H, W, C) and kernel (KH, KW, C, K).

    strides (SH, SW), padding ((top, bottom), (left, right)).
    """
    raise NotImplementedError
