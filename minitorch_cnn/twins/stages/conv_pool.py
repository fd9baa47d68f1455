"""A Conv2D with ReLU and the 2x2 max pool behind it, run as one: the map between them is never written.

That map is four times as large as what is left of it, and the largest array of most networks: written, read by the
pool, kept for the ReLU's mask, read again by the backward pass. A window of the pool needs only four numbers, which are
in the cache together (with Winograd even in one tile) when the convolution has computed them.

What the backward pass has to know of the map is `winner`, a byte for each window: the place, in reading order, of its
largest number, which alone gets the gradient; or `NOBODY` where none of the four was above zero, so the ReLU cut all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.convolution import row_windows, winograd
from minitorch_cnn.engine.layers.by_hand import passes_of
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.layers.max_pool2d import MaxPool2D
from minitorch_cnn.twins.stages import conv_relu
from minitorch_cnn.twins.stages.conv_relu import ConvReLU
from minitorch_cnn.twins.stages.stage import Stage

REPLACES: tuple = (*conv_relu.REPLACES, (MaxPool2D, "forward_pass"), (MaxPool2D, "backward_pass"))
GUARD = Guard("twins/stages/conv_pool.py: ConvPool", *(lambda place=place: place for place in REPLACES))
POOLING = (row_windows, winograd)  # the algorithms whose compiled twins can pool what they have computed
NOBODY = 4


class ConvPool(Stage):
    """The passes of `conv`, a Conv2D with ReLU, and `pool`, a MaxPool2D(2) without padding."""

    def __init__(self, conv: Any, pool: Any) -> None:
        super().__init__(conv)
        self.pool = pool
        self.in_two = ConvReLU(conv)

    @staticmethod
    def fits(before: Any, pool: Any) -> bool:
        """Whether a ConvReLU stage `before` and the layer `pool` are such a pair."""
        return (
            type(before) is ConvReLU
            and type(pool) is MaxPool2D
            and pool.pool_size == pool.strides == (2, 2)
            and pool.pixels == ((0, 0), (0, 0))
            and passes_of(pool) is pool
            and GUARD.holds()
        )

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """(y, kept): y is what the two layers give one after the other, to the bit."""
        conv = self.conv
        conv.check_input(x)
        algorithm = conv.algorithm_for(x)
        fast = algorithm.forward.twin_for(x) if algorithm in POOLING and type(x).__module__ == "numpy" else None
        if fast is None:
            whole, kept = self.in_two.forward_pass(x, training)
            y, (winner,) = self.pool.forward_pass(whole, training)
            return y, (*kept, winner)
        y, winner = fast(x, *conv.arguments(), relu=True, pool=True)
        return y, (x if conv.trainable else None, algorithm, None, winner)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) of the two layers; the bias's gradient up to rounding, the others to the bit."""
        *kept, whole, winner = kept
        if whole is not None:
            dy, _ = self.pool.backward_pass(dy, (winner,))
            return self.in_two.backward_pass(dy, (*kept, whole), need_dx)
        scatter: Any = twin("convolution.pooled", "backward", dy)
        return self.conv.backward_convolution(*scatter(dy, winner, self.conv.output_shape[:2]), kept, need_dx)
