"""Exercise 1: the backward pass of a dense layer.

    y = x @ kernel + bias           x (N, D), kernel (D, U), bias (U,), y (N, U)
    y[n, u] = sum over d of x[n, d] * kernel[d, u]  +  bias[u]

You are given dy = dL/dy, which says how much the loss grows if an element of y grows. For each element of x, kernel and
bias, ask which elements of y it contributes to and by which factor. Its gradient is the sum of these factors times dy.

    dx      (N, D)   x[n, d] contributes to y[n, u] for every u, with the factor kernel[d, u]
    dkernel (D, U)   kernel[d, u] contributes to y[n, u] for every n, with the factor ...
    dbias   (U,)     bias[u] contributes to ...

Each of the three is one line of NumPy, and the shapes leave only one way to write it.

Check it:  minitorch-cnn exercise dense
"""

import numpy as np


def dense_backward(dy, x, kernel):
    """(dx, dkernel, dbias) for dy (N, U), x (N, D) and kernel (D, U)."""
    raise NotImplementedError
