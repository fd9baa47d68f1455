"""The convolution algorithms, one a file, each with the same three functions.

    forward(x, kernel, strides, padding, bias=None, relu=False) -> y
    backward_input(dy, kernel, input_shape, strides, padding) -> dx
    backward_kernel(x, dy, kernel_shape, strides, padding) -> dkernel

A new algorithm is a new module in the table below; no layer changes.
"""

from minitorch_cnn.convolution import im2col, naive
from minitorch_cnn.errors import ArgumentError

ALGORITHMS = {"naive": naive, "im2col": im2col}


def algorithms():
    """The names that `Conv2D(algorithm=...)` accepts besides "auto"."""
    return list(ALGORITHMS)


def choose(name):
    """The module that computes the convolution: the one called `name`; "auto" is im2col."""
    if name == "auto":
        return im2col
    if name not in ALGORITHMS:
        raise ArgumentError(f"algorithm: expected 'auto' or one of {', '.join(ALGORITHMS)}, got {name!r}")
    return ALGORITHMS[name]
