"""Flatten: a feature map as one long row."""

import math

from minitorch_cnn.engine.layers.layer import Layer


class Flatten(Layer):
    """y (N, H*W*C) of x (N, H, W, C): element (h*W + w)*C + c, the order Keras's weights expect."""

    def output_shape_for(self, input_shape):
        return (math.prod(input_shape),)

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = ()
        return x.reshape(len(x), -1)

    def backward(self, dy, need_dx=True):
        """The same numbers in the input's shape."""
        self.recall()
        return dy.reshape(len(dy), *self.input_shape)

    def kept_elements(self):
        return 0
