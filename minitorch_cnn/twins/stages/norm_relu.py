"""A BatchNorm and its ReLU or ReLU6, run as one: each pass over the arrays does both.

The ReLU lets a gradient pass where y > 0, and a ReLU6 where y < 6 as well. Backward computes y again from x for
that, which it reads anyway.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.layers.batch_norm import BatchNorm, normalise
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.twins.stages.stage import (
    PASSES,
    RELU,
    Stage,
    ceiling_of,
    limited,
    limited_backward,
    tried,
    untouched,
)  # fmt: skip

NORM: tuple = tuple((BatchNorm, name) for name in (
    *PASSES, "statistics_of", "scale_and_shift", "gradients_from", "means_from",
))  # fmt: skip
GUARD = Guard("twins/stages/norm_relu.py: NormReLU", *NORM, *RELU)


class NormReLU(Stage):
    """The passes of `norm`, a BatchNorm, and the layer `relu` after it."""

    def __init__(self, norm: Any, relu: Any) -> None:
        super().__init__(norm)
        self.norm, self.relu = norm, relu

    @staticmethod
    def fits(norm: Any, relu: Any) -> bool:
        """Whether these two layers are such a pair, and their methods those that this stage was made for."""
        return type(norm) is BatchNorm and untouched(norm) and ceiling_of(relu) is not None and GUARD.holds()

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """What the two layers return, bit for bit."""
        return norm_forward(self.norm, x, training, ceiling_of(self.relu))

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) of the two layers, except for rounding."""
        dx, _, gradients = norm_backward(self.norm, dy, kept, need_dx, ceiling_of(self.relu))
        return dx, gradients


def limits(ceiling: float | None) -> dict[str, Any]:
    """The arguments for it that twins take: {relu, ceiling}; without a finite ceiling only {relu}, which all take."""
    if ceiling is None or ceiling == math.inf:
        return {"relu": ceiling is not None}
    return {"relu": True, "ceiling": ceiling}


def norm_forward(norm: BatchNorm, x: Array, training: bool, ceiling: float | None) -> Forward:
    """(y, kept) of a BatchNorm and, with a `ceiling`, the ReLU after it, whose results are at most that."""
    norm.check_input(x)
    mean, inverse, batch = norm.statistics_of(x, training)
    vectors = norm.scale_and_shift(inverse)
    y = tried(twin("layers.batch_norm", "normalise", x), x, mean, *vectors, **limits(ceiling))
    again = y is not None and batch  # whether backward computes y again
    if y is None:
        y = normalise(x, mean, *vectors)
        y = limited(y, ceiling)
    kept = x if norm.trainable else None, mean, inverse, batch
    return y, (kept, vectors, None if again or ceiling is None else y)


def norm_backward(
    norm: BatchNorm, dy: Array, kept: Sequence, need_dx: bool, ceiling: float | None
) -> tuple[Array | None, Array | None, dict[str, Array]]:
    """(dx, the sums of dx over all but the channels or None, gradients), for what `norm_forward` kept."""
    before, (scale, shift), y = kept
    x, mean, inverse, batch = before
    sums, relu = None, ceiling is not None
    if batch and relu:
        fast = twin("layers.batch_norm", "relu_sums_backward", dy)
        sums = tried(fast, dy, x, mean, inverse, scale, shift, ceiling=ceiling)
    elif batch:
        sums = tried(twin("layers.batch_norm", "sums_backward", dy), dy, x, mean, inverse)
    if sums is None:
        if relu:
            dy = limited_backward(dy, normalise(x, mean, scale, shift) if y is None else y, ceiling)
        dx, gradients = norm.backward_pass(dy, before, need_dx)
        return dx, None, gradients
    gradients = norm.gradients_from(*sums)
    if not need_dx:
        return None, None, gradients
    arguments = dy, x, mean, inverse, scale, *norm.means_from(sums, x)
    if relu:
        found = tried(twin("layers.batch_norm", "relu_normalise_backward", dy), *arguments, shift, ceiling=ceiling)
    else:
        found = tried(twin("layers.batch_norm", "normalise_backward", dy), *arguments, sums=True)
    return *found, gradients
