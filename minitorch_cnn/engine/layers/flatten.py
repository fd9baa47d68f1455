"""Flatten: a feature map as one long row."""

import math
from collections.abc import Sequence

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer


class Flatten(Layer):
    """y (N, H*W*C) of x (N, H, W, C): element (h*W + w)*C + c, the order Keras's weights expect."""

    random = keeps_output = False

    def output_shape_for(self, input_shape: tuple) -> tuple:
        return (math.prod(input_shape),)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return x.reshape(len(x), -1), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the same numbers in the input's shape."""
        return dy.reshape(len(dy), *self.input_shape), {}
