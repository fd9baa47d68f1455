"""A Conv2D with ReLU, run as one: bias and ReLU are applied while the sums are still in registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.activations import ReLU
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.twins.stages.stage import SCORES, Stage, fast_version, tried, untouched

CONV: tuple = tuple((Conv2D, name) for name in SCORES)
REPLACES: tuple = (*CONV, (ReLU, "forward"), (ReLU, "backward"))
GUARD = Guard("twins/stages/conv_relu.py: ConvReLU", *REPLACES)


class ConvReLU(Stage):
    """The passes of `conv`, a Conv2D with activation "relu"."""

    def __init__(self, conv: Any) -> None:
        super().__init__(conv)
        self.conv = conv

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
        y = tried(fast_version(algorithm.forward, x), x, *conv.arguments(), relu=True)
        if y is None:
            return conv.forward_pass(x, training)
        return y, (x if conv.trainable else None, algorithm, y)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """What `conv.backward_pass` returns, bit for bit, except for the rounding of the bias's gradient.

        One pass over the array instead of two applies the ReLU's mask and sums up the bias's gradient. Some algorithms
        have a twin for all gradients at once.
        """
        *before, y = kept
        x, algorithm = before
        if self.conv.trainable and self.conv.use_bias:
            kernel, strides, padding, _ = self.conv.arguments()
            at_once = twin(f"convolution.{algorithm.__name__.rpartition('.')[2]}", "backward_relu", dy)
            found = tried(at_once, dy, y, x, kernel, strides, padding, need_dx)
            if found is not None:
                return found[0], {"kernel": found[1], "bias": found[2]}
        masked = tried(twin("convolution.epilogue", "bias_relu_backward", dy), dy, y)
        if masked is None:
            return self.conv.backward_pass(dy, kept, need_dx)
        return self.conv.backward_convolution(*masked, before, need_dx)
