"""Average pooling: the mean of each window, or of the whole image."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arguments import flag
from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.convolution.geometry import crop, pad
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.layers.pool2d import Pool2D, taps


@functools.lru_cache(maxsize=64)  # a captured step on a GPU can upload nothing
def _shares(xp: Any, dtype: Any, size: tuple, window: tuple, strides: tuple, padding: tuple, out: tuple) -> Array:
    inside = []  # for rows and for columns: how many pixels of each window lie in the image
    for length, reach, step, (before, _), count in zip(size, window, strides, padding, out):
        first = np.arange(count) * step - before
        inside.append(np.minimum(first + reach, length) - np.maximum(first, 0))
    pixels = np.maximum(np.outer(*inside), 1)
    return xp.asarray(1 / pixels[None, :, :, None], dtype=dtype)


class AveragePool2D(Pool2D):
    """y (N, OH, OW, C): the mean of each window of x (N, H, W, C). As in Keras, padding is not counted."""

    keeps_output = False

    def shares(self, array: Array) -> Array:
        """1 / number of pixels in each window (1, OH, OW, 1), in the array's dtype and on its device."""
        geometry = self.input_shape[:2], self.pool_size, self.strides, self.pixels, self.output_shape[:2]
        return _shares(namespace(array), array.dtype, *geometry)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        windows: Any = taps(pad(x, self.pixels), self.pool_size, self.strides, self.output_shape[:2])
        return sum(windows) * self.shares(x), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: every pixel of a window gets an equal share of its dy; where windows overlap the shares add up."""
        share = dy * self.shares(dy)
        dx = pad(namespace(dy).zeros((len(dy), *self.input_shape), dtype=dy.dtype), self.pixels)
        for tap in taps(dx, self.pool_size, self.strides, self.output_shape[:2]):
            tap += share
        return crop(dx, self.pixels), {}


@accelerated
def image_mean(x: Array) -> Array:
    """(N, C): the mean of each channel over the pixels of each image of x (N, H, W, C)."""
    return x.mean(axis=(1, 2))


@accelerated
def image_mean_backward(dy: Array, size: tuple) -> Array:
    """dx (N, H, W, C) = dy (N, C) / (H W) at every pixel of images of `size` (H, W)."""
    (N, C), (H, W) = dy.shape, size
    return namespace(dy).broadcast_to(dy.reshape(N, 1, 1, C) / (H * W), (N, H, W, C)).copy()


class GlobalPool2D(Layer):
    """One number of each channel of x (N, H, W, C): y (N, C), or (N, 1, 1, C) with `keepdims`."""

    random = False

    def __init__(self, keepdims: bool = False, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.keepdims = flag(keepdims, f"{self.name}: keepdims")

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        return (1, 1, input_shape[2]) if self.keepdims else (input_shape[2],)

    def config(self) -> dict:
        return {**({"keepdims": True} if self.keepdims else {}), **super().config()}


class GlobalMaxPool2D(GlobalPool2D):
    """y: the largest number of each channel; if several are equal, they share its gradient, as in Keras."""

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        y = x.max(axis=(1, 2), keepdims=True)
        return y if self.keepdims else y[:, 0, 0], (x, y)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the largest gets dy, the others nothing."""
        x, y = kept
        won = (x == y).astype(x.dtype)
        return won / won.sum(axis=(1, 2), keepdims=True) * dy.reshape(y.shape), {}


class GlobalAveragePool2D(GlobalPool2D):
    """y: the mean of each channel."""

    keeps_output = False

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return image_mean(x).reshape(len(x), *self.output_shape), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: every pixel of an image gets an equal share of its dy."""
        H, W, C = self.input_shape
        return image_mean_backward(dy.reshape(-1, C), (H, W)), {}
