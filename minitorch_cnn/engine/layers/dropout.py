"""Dropout (Srivastava et al. 2014): in training each number is set to zero with probability `rate`."""

import math
from collections.abc import Sequence

from minitorch_cnn.arguments import share
from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.errors import ArgumentError, ShapeError


@accelerated
def drop(x: Array, rate: float, key: tuple, draw: int, first: int = 0) -> tuple[Array, Array]:
    """(y, keep): y = x * keep / (1 - rate), where random bits decide `keep` (bool, the shape of x).

    The bits are those of stream `key`, draw `draw`; `first` is the position of x's first number in the batch, if x is
    only a part of it.
    """
    xp = namespace(x)
    keep = (random_bits(math.prod(x.shape), key, draw, xp, first) >= threshold(rate)).reshape(x.shape)
    return scale(x, keep, rate), keep


@accelerated
def scale(x: Array, keep: Array, rate: float) -> Array:
    """x * keep / (1 - rate)."""
    return x * keep * x.dtype.type(1 / (1 - rate))


def threshold(rate: float) -> int:
    """A number is dropped when its 32 random bits are below this: rate * 2^32."""
    return min(int(rate * 2**32), 2**32 - 1)


class Dropout(Layer):
    """y = x * keep / (1 - rate) in training, y = x otherwise; any shape.

    Dividing by 1 - rate keeps the mean, so nothing has to change when the layer is switched off for predicting. The
    mask depends on the model's seed, the layer's place, how often the layer has drawn, and the number's place in the
    batch. With `noise_shape` one decision counts for a whole axis: (None, 1, 1, 1) drops or keeps whole images.
    """

    random: bool | None = True

    def __init__(
        self, rate: float, name: str | None = None, trainable: bool = True, noise_shape: tuple | None = None
    ) -> None:
        super().__init__(name, trainable)
        self.rate = share(rate, f"{self.name}: rate")
        self.random = self.rate > 0
        sizes = () if noise_shape is None else noise_shape
        if not isinstance(sizes, (tuple, list)) or any(not isinstance(size, (int, type(None))) for size in sizes):
            raise ArgumentError(f"{self.name}: noise_shape: expected None or 1 for each axis, got {noise_shape!r}")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        if not training or self.rate == 0:
            return x, (None,)
        shape = self.decided(x.shape)
        first = 0 if self.share is None else self.share.first * math.prod(shape[1:])
        if shape == x.shape:
            y, keep = drop(x, self.rate, self.key, self.draws, first)
        else:  # one decision for several numbers: the mask of an array of ones, repeated along the axes of length 1
            ones, keep = drop(namespace(x).ones(shape, x.dtype), self.rate, self.key, self.draws, first)
            y = x * ones
        self.draws += 1
        return y, (keep,)

    def decided(self, shape: tuple) -> tuple:
        """The shape of the decisions for x of `shape`: `noise_shape`, in which None stands for the size of x."""
        if self.noise_shape is None:
            return shape
        pairs = list(zip(self.noise_shape, shape))
        if len(self.noise_shape) != len(shape) or any(noise not in (None, 1, size) for noise, size in pairs):
            raise ShapeError(f"{self.name}: noise_shape: expected 1 or None for each axis, got {self.noise_shape}")
        return tuple(size if noise is None else noise for noise, size in pairs)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = dy * keep / (1 - rate): numbers that were dropped get no gradient."""
        (keep,) = kept
        if keep is None:
            return dy, {}
        return scale(dy, namespace(dy).broadcast_to(keep, dy.shape), self.rate), {}

    def config(self) -> dict:
        shape = {} if self.noise_shape is None else {"noise_shape": list(self.noise_shape)}
        return {"rate": self.rate, **shape, **super().config()}

    def describe(self) -> str:
        return f"{self.rate:g}"
