"""Exercise 1: the way back through a dense layer.

    y = x @ kernel + bias           x (N, D), kernel (D, U), bias (U,), y (N, U)
    y[n, u] = sum over d of x[n, d] * kernel[d, u]  +  bias[u]

You are given dy = dL/dy: how much the loss grows when a number of y does. Ask of every number of x, kernel and bias
into which numbers of y it went, and with which factor; the gradient is the sum of those factors times dy.

    dx      (N, D)   x[n, d] went into y[n, u] for every u, times kernel[d, u]
    dkernel (D, U)   kernel[d, u] went into y[n, u] for every n, times ...
    dbias   (U,)     bias[u] went into ...

Each of the three is one line of NumPy. The shapes leave only one way to write each.

Check it:  minitorch-cnn exercise dense
"""

import numpy as np


def dense_backward(dy, x, kernel):
    """(dx, dkernel, dbias) for dy (N, U), x (N, D) and kernel (D, U)."""
    raise NotImplementedError
