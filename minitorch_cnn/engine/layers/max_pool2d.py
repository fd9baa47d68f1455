"""Max pooling: the largest number of each window."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution.geometry import crop, output_size, pad
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.layers.pool2d import Pool2D, taps


@accelerated
def max_pool(x: Array, window: tuple, strides: tuple, padding: tuple) -> tuple[Array, Array]:
    """(y, winner): the largest of each window, and its place in the window (reading order), both (N, OH, OW, C).

    If several are equal the first wins, so exactly one place gets the gradient. A NaN wins over every number.
    """
    xp = namespace(x)
    out = output_size(x.shape[1:3], window, strides, padding)
    y: Any = None
    for place, tap in enumerate(taps(pad(x, padding, -np.inf), window, strides, out)):
        if y is None:
            y, winner = tap.copy(), xp.zeros(tap.shape, dtype=place_type(window))
        else:
            larger = (tap > y) | ((tap != tap) & (y == y))
            y = xp.where(larger, tap, y)
            winner[larger] = place
    return y, winner


@accelerated
def max_pool_backward(
    dy: Array, winner: Array, input_shape: tuple, window: tuple, strides: tuple, padding: tuple
) -> Array:
    """dx (N, H, W, C): dL/dy goes to the winner of each window. Windows may overlap, so a pixel adds up its wins."""
    xp = namespace(dy)
    dx = pad(xp.zeros(input_shape, dtype=dy.dtype), padding)
    for place, tap in enumerate(taps(dx, window, strides, dy.shape[1:3])):
        tap += dy * (winner == place)
    return crop(dx, padding)


def place_type(window: tuple) -> type:
    """The smallest integer type that can number the places of a window."""
    return np.uint8 if window[0] * window[1] <= 256 else np.int32


class MaxPool2D(Pool2D):
    """y (N, OH, OW, C): the largest number of each window of x (N, H, W, C), each channel separately."""

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        y, winner = max_pool(x, self.pool_size, self.strides, self.pixels)
        return y, (winner,)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the winner of each window gets its dy, the others nothing."""
        (winner,), input_shape = kept, (len(dy), *self.input_shape)
        return max_pool_backward(dy, winner, input_shape, self.pool_size, self.strides, self.pixels), {}
