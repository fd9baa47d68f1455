"""A Conv2D with ReLU and the 2x2 max pool after it, run as one: the feature map between them is never written.

That map is four times as large as the pooled one, and the largest array of most networks. As separate layers, the
convolution writes it, the pool reads it, and the backward pass reads it again for the ReLU's mask. But a window of the
pool needs only four numbers, which are in the cache together when the convolution has computed them (with Winograd even
in one tile).

All that the backward pass needs from the map is `winner`, one byte per window: the place, in reading order, of the
window's largest number, which alone gets the gradient, or `NOBODY` if none of the four was above zero, because then the
ReLU set all of them to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.convolution import row_windows, winograd
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.layers.max_pool2d import MaxPool2D
from minitorch_cnn.twins.stages import conv_relu
from minitorch_cnn.twins.stages.conv_relu import ConvReLU
from minitorch_cnn.twins.stages.stage import PASSES, Stage, fast_version, tried, untouched

REPLACES: tuple = (
    *conv_relu.REPLACES, *((MaxPool2D, name) for name in PASSES),
)  # fmt: skip
GUARD = Guard("twins/stages/conv_pool.py: ConvPool", *REPLACES)
POOLING = (row_windows, winograd)  # the algorithms whose compiled twins can also pool
NOBODY = 4


class ConvPool(Stage):
    """The passes of `conv`, a Conv2D with ReLU, and `pool`, a MaxPool2D(2) without padding."""

    def __init__(self, conv: Any, pool: Any) -> None:
        super().__init__(conv)
        self.conv = conv
        self.pool = pool
        self.in_two = ConvReLU(conv)

    @staticmethod
    def fits(before: Any, pool: Any) -> bool:
        """Whether a ConvReLU stage `before` and the layer `pool` after it are such a pair."""
        return (
            type(before) is ConvReLU
            and type(pool) is MaxPool2D
            and pool.pool_size == pool.strides == (2, 2)
            and pool.pixels == ((0, 0), (0, 0))
            and untouched(pool)
            and GUARD.holds()
        )

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """(y, kept); y has the same bits as from the two layers one after the other."""
        conv = self.conv
        conv.check_input(x)
        algorithm = conv.algorithm_for(x)
        fast = None
        if algorithm in POOLING and type(x).__module__ == "numpy":
            fast = fast_version(algorithm.forward, x)
        pooled = tried(fast, x, *conv.arguments(), relu=True, pool=True)
        if pooled is None:
            whole, kept = self.in_two.forward_pass(x, training)
            y, (winner,) = self.pool.forward_pass(whole, training)
            return y, (*kept, winner)
        y, winner = pooled
        return y, (x if conv.trainable else None, algorithm, None, winner)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) of the two layers, bit for bit, except for the rounding of the bias's gradient."""
        *kept, whole, winner = kept
        if whole is not None:
            dy, _ = self.pool.backward_pass(dy, (winner,))
            return self.in_two.backward_pass(dy, (*kept, whole), need_dx)
        scatter: Any = twin("convolution.pooled", "backward", dy)
        return self.conv.backward_convolution(*scatter(dy, winner, self.conv.output_shape[:2]), kept, need_dx)
