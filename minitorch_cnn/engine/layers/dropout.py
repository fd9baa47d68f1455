"""Dropout (Srivastava et al. 2014): in training each number is set to zero with probability `rate`."""

import math
from collections.abc import Sequence

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.errors import ArgumentError


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
    batch.
    """

    random = True

    def __init__(self, rate: float, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        if not 0 <= rate < 1:
            raise ArgumentError(f"{self.name}: rate: expected a number in [0, 1), got {rate!r}")
        self.rate = float(rate)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        if not training or self.rate == 0:
            return x, (None,)
        first = 0 if self.share is None else self.share.first * math.prod(x.shape[1:])
        y, keep = drop(x, self.rate, self.key, self.draws, first)
        self.draws += 1
        return y, (keep,)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = dy * keep / (1 - rate): numbers that were dropped get no gradient."""
        (keep,) = kept
        return dy if keep is None else scale(dy, keep, self.rate), {}

    def config(self) -> dict:
        return {"rate": self.rate, **super().config()}

    def describe(self) -> str:
        return f"{self.rate:g}"
