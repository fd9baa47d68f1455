"""Average pooling: the mean of each window, or of the whole image."""

import numpy as np

from minitorch_cnn.arrays import namespace
from minitorch_cnn.engine.convolution.geometry import crop, pad
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.engine.layers.pool2d import Pool2D, taps


class AveragePool2D(Pool2D):
    """y (N, OH, OW, C): the mean of each window of x (N, H, W, C). As in Keras, padding does not count."""

    def build(self, input_shape):
        super().build(input_shape)
        ones = pad(np.ones((1, *self.input_shape[:2], 1)), self.pixels)
        self.inside = sum(taps(ones, self.pool_size, self.strides, self.output_shape[:2]))  # pixels in each window
        self.shares = {}  # (array library, dtype): what of its dy a pixel gets

    def _shares(self, array):
        """1 / number of pixels in each window (1, OH, OW, 1), in the array's dtype and on its device."""
        key = namespace(array), array.dtype
        if key not in self.shares:
            self.shares[key] = namespace(array).asarray(1 / np.maximum(self.inside, 1), dtype=array.dtype)
        return self.shares[key]

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = ()
        padded = pad(x, self.pixels)
        return sum(taps(padded, self.pool_size, self.strides, self.output_shape[:2])) * self._shares(x)

    def backward(self, dy, need_dx=True):
        """dx: every pixel of a window gets an equal share of its dy; where windows overlap the shares add up."""
        self.recall()
        xp = namespace(dy)
        share = dy * self._shares(dy)
        dx = pad(xp.zeros((len(dy), *self.input_shape), dtype=dy.dtype), self.pixels)
        for tap in taps(dx, self.pool_size, self.strides, self.output_shape[:2]):
            tap += share
        return crop(dx, self.pixels)

    def kept_elements(self):
        return 0


class GlobalAveragePool2D(Layer):
    """y (N, C): the mean of each channel of x (N, H, W, C)."""

    def output_shape_for(self, input_shape):
        self.require_image(input_shape)
        return (input_shape[2],)

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = ()
        return x.mean(axis=(1, 2))

    def backward(self, dy, need_dx=True):
        """dx = dy / (H W) at every pixel."""
        self.recall()
        H, W, C = self.input_shape
        return namespace(dy).broadcast_to(dy[:, None, None, :] / (H * W), (len(dy), H, W, C)).copy()

    def kept_elements(self):
        return 0
