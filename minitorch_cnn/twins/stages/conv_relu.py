"""A Conv2D with ReLU, run as one: bias and ReLU are applied while the sums are still in registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.activations import ReLU
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.twins.stages.stage import Stage, untouched

REPLACES: tuple = (
    (Conv2D, "forward_pass"), (Conv2D, "backward_pass"), (Conv2D, "scores"), (Conv2D, "backward_scores"),
    (ReLU, "forward"), (ReLU, "backward"),
)  # fmt: skip
GUARD = Guard("twins/stages/conv_relu.py: ConvReLU", *REPLACES)


class ConvReLU(Stage):
    """The passes of `conv`, a Conv2D with activation "relu"."""

    @staticmethod
    def fits(layer: Any) -> bool:
        """Whether `layer` is such a convolution and its methods are those that this stage was made for."""
        relu = type(layer) is Conv2D and type(layer.activation) is ReLU and not vars(layer.activation)
        return relu and untouched(layer) and GUARD.holds()

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """What `conv.forward_pass` returns, bit for bit."""
        conv = self.conv
        conv.check_input(x)
        algorithm = conv.algorithm_for(x)
        fast = getattr(algorithm.forward, "twin_for", lambda x: None)(x)
        if fast is None:
            return conv.forward_pass(x, training)
        y = fast(x, *conv.arguments(), relu=True)
        return y, (x if conv.trainable else None, algorithm, y)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """What `conv.backward_pass` returns, bit for bit, except for the rounding of the bias's gradient.

        One pass over the array instead of two applies the ReLU's mask and sums up the bias's gradient.
        """
        fast = twin("convolution.epilogue", "bias_relu_backward", dy)
        if fast is None:
            return self.conv.backward_pass(dy, kept, need_dx)
        *kept, y = kept
        return self.conv.backward_convolution(*fast(dy, y), kept, need_dx)
