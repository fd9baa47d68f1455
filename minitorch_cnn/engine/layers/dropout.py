"""Dropout (Srivastava et al. 2014): in training each number is set to zero with probability `rate`."""

import math

from minitorch_cnn.arrays import accelerated, namespace
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.errors import ArgumentError


@accelerated
def drop(x, rate, key, draw, first=0):
    """(y, keep): y = x * keep / (1 - rate), `keep` (bool) decided by the random bits of stream `key`, draw `draw`.

    `first` is the place of x's first number in the batch, where x is only a part of it.
    """
    xp = namespace(x)
    keep = (random_bits(math.prod(x.shape), key, draw, xp, first) >= threshold(rate)).reshape(x.shape)
    return scale(x, keep, rate), keep


@accelerated
def scale(x, keep, rate):
    """x * keep / (1 - rate)."""
    return x * keep * x.dtype.type(1 / (1 - rate))


def threshold(rate):
    """A number is dropped when its 32 random bits are below this: rate * 2^32."""
    return min(int(rate * 2**32), 2**32 - 1)


class Dropout(Layer):
    """y = x * keep / (1 - rate) in training, y = x otherwise; any shape.

    Dividing by what is left keeps the mean, so nothing changes when the layer is switched off for predicting. The
    mask is a function of the model's seed, the layer's place, a count of its draws and the number's place in the batch.
    """

    def __init__(self, rate, name=None, trainable=True):
        super().__init__(name, trainable)
        if not 0 <= rate < 1:
            raise ArgumentError(f"{self.name}: rate: expected a number in [0, 1), got {rate!r}")
        self.rate = float(rate)
        self.key = (0, 0)  # set by the model: (seed, place of the layer)
        self.draws = 0

    def forward(self, x, training=False):
        self.check_input(x)
        if not training or self.rate == 0:
            self.cache = (None,)
            return x
        first = 0 if self.share is None else self.share.first * math.prod(x.shape[1:])
        y, keep = drop(x, self.rate, self.key, self.draws, first)
        self.draws += 1
        self.cache = (keep,)
        return y

    def backward(self, dy, need_dx=True):
        """dx = dy * keep / (1 - rate): what was dropped gets no gradient."""
        (keep,) = self.recall()
        return dy if keep is None else scale(dy, keep, self.rate)

    def config(self):
        return {"rate": self.rate, **super().config()}

    def describe(self):
        return f"{self.rate:g}"
