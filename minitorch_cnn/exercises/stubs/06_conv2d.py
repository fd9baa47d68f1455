"""Exercise 6: the backward pass of a convolution.

With the columns of exercise 4 and the kernel as a matrix, a convolution is a dense layer:

    columns = im2col(x)                                     (N*OH*OW, KH*KW*C)
    y       = columns @ kernel.reshape(KH*KW*C, K) + bias   (N*OH*OW, K), then (N, OH, OW, K)

So exercise 1 gives the gradients of the matrix product, and exercise 5 turns the gradient of the columns into dx:

    dkernel = ...                        (KH, KW, C, K)
    dbias   = ...                        (K,)
    dx      = col2im(dcolumns)           (N, H, W, C)

You can paste your own functions from the previous exercises here, or use ours, which are imported below.

Check it:  minitorch-cnn exercise conv2d
"""

import numpy as np

from minitorch_cnn.engine.convolution.im2col import col2im, im2col


def conv2d_backward(dy, x, kernel, strides, padding):
    """(dx, dkernel, dbias) for dy (N, OH, OW, K), x (N, H, W, C) and kernel (KH, KW, C, K).

    Arguments: strides (SH, SW), padding ((top, bottom), (left, right)).
    """
    raise NotImplementedError
