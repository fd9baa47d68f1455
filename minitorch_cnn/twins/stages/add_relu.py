"""A sum and its ReLU, run as one: the sum itself is never written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard, twin
from minitorch_cnn.engine.activations import relu_backward
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.layers.merge import Add
from minitorch_cnn.twins.stages.stage import PASSES, RELU, Stage, is_relu, tried, untouched

REPLACES: tuple = (
    *RELU, *((Add, name) for name in (*PASSES, "merged", "gradients_of")),
)  # fmt: skip
GUARD = Guard("twins/stages/add_relu.py: AddReLU", *REPLACES)


class AddReLU(Stage):
    """The passes of `sum`, an Add of two arrays of one shape, and the layer `relu` after it."""

    def __init__(self, sum: Any, relu: Any) -> None:
        super().__init__(sum)
        self.sum, self.relu = sum, relu

    @staticmethod
    def fits(sum: Any, relu: Any) -> bool:
        """Whether these two layers are such a pair, and their methods those that this stage was made for."""
        plain = type(sum) is Add and untouched(sum) and len(sum.input_shape) == 2 and len({*sum.input_shape}) == 1
        return plain and is_relu(relu) and GUARD.holds()

    def forward_pass(self, x: Any, training: bool = False) -> Forward:
        """What the two layers return, bit for bit."""
        self.sum.check_input(x)
        y = tried(twin("layers.merge", "add", x[0]), *x, relu=True)
        if y is None:
            y = self.relu.activation.forward(self.sum.merged(x))
        return y, (y,)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """[dx, dx]: both inputs get the gradient that the ReLU lets pass, the same array."""
        return [relu_backward(dy, *kept)] * 2 if need_dx else None, {}
