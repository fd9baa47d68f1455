"""A ZeroPad2D and the convolution after it, run as one: the convolution pads by itself, and the padded copy is saved.

Networks that Keras ships pad by hand before a convolution with strides. To the stages that follow, this one is the
convolution: a `ConvNorm` may have it in the place of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard
from minitorch_cnn.engine.activations import Linear
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.depthwise_conv2d import DepthwiseConv2D
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.layers.zero_pad2d import ZeroPad2D
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.twins.stages.conv_relu import CONV
from minitorch_cnn.twins.stages.stage import PASSES, SCORES, Stage, untouched

KINDS = Conv2D, DepthwiseConv2D
METHODS = (*SCORES, "backward_convolution", "arguments", "pixels")
REPLACES: tuple = (
    *CONV, *((kind, name) for kind in KINDS for name in METHODS),
    *((ZeroPad2D, name) for name in PASSES), (Linear, "forward"), (Linear, "backward"),
)  # fmt: skip
GUARD = Guard("twins/stages/padded_conv.py: PaddedConv", *REPLACES)


def is_linear(conv: Any) -> bool:
    """Whether `conv` is an untouched convolution without activation."""
    plain = type(conv) in KINDS and type(conv.activation) is Linear and not vars(conv.activation)
    return plain and untouched(conv)


class PaddedConv(Stage):
    """The passes of `pad`, a ZeroPad2D, and `conv`, a convolution without activation."""

    def __init__(self, pad: Any, conv: Any) -> None:
        super().__init__(conv)
        self.pad, self.conv = pad, conv
        self.use_bias = conv.use_bias

    @staticmethod
    def fits(pad: Any, conv: Any) -> bool:
        """Whether these two layers are such a pair, and their methods those that this stage was made for."""
        return type(pad) is ZeroPad2D and untouched(pad) and is_linear(conv) and GUARD.holds()

    @property
    def trainable(self) -> bool:
        """The convolution's."""
        return self.conv.trainable

    def check_input(self, x: Array) -> None:
        """Check that x has the shape that the padding was built for."""
        self.pad.check_input(x)

    def parameter_shapes(self) -> dict[str, tuple]:
        """The convolution's."""
        return self.conv.parameter_shapes()

    def algorithm_for(self, x: Array) -> Any:
        """The convolution's."""
        return self.conv.algorithm_for(x)

    def arguments(self) -> tuple:
        """The convolution's (kernel, strides, padding in pixels, bias or None), with both paddings."""
        kernel, strides, pixels, bias = self.conv.arguments()
        both = tuple((a + c, b + d) for (a, b), (c, d) in zip(pixels, self.pad.padding))
        return kernel, strides, both, bias

    def scores(self, x: Array, training: bool = False) -> Forward:
        """What the two layers return, up to rounding."""
        self.check_input(x)
        algorithm = self.algorithm_for(x)
        return algorithm.forward(x, *self.arguments()), (x if self.trainable else None, algorithm)

    forward_pass = scores

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) of the two layers."""
        dbias = channel_sum(dy) if self.trainable and self.use_bias else None
        return self.backward_convolution(dy, dbias, kept, need_dx)

    def backward_convolution(
        self, dscores: Array, dbias: Array | None, kept: Sequence, need_dx: bool = True
    ) -> Backward:
        """As the convolution's, with both paddings and without the border of dx."""
        (x, algorithm), gradients = kept, {}
        kernel, strides, both, _ = self.arguments()
        if self.trainable:
            gradients["kernel"] = algorithm.backward_kernel(x, dscores, kernel.shape, strides, both)
            if self.use_bias:
                gradients["bias"] = dbias
        if not need_dx:
            return None, gradients
        input_shape = (len(dscores), *self.pad.input_shape)
        return algorithm.backward_input(dscores, kernel, input_shape, strides, both), gradients
