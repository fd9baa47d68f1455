"""Zero padding as a separate layer."""

from collections.abc import Sequence

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.convolution.geometry import check_padding, crop, pad
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.errors import ArgumentError


class ZeroPad2D(Layer):
    """y (N, H + top + bottom, W + left + right, C): x with zeros around it.

    `padding` is an integer, (rows, columns) or ((top, bottom), (left, right)).
    """

    random = False

    def __init__(self, padding: int | tuple = 1, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        if isinstance(padding, str):
            raise ArgumentError(f"{self.name}: padding: expected an integer or pairs, got {padding!r}")
        self.padding = check_padding(padding)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        H, W, C = input_shape
        return (H + sum(self.padding[0]), W + sum(self.padding[1]), C)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return pad(x, self.padding), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the border does not depend on x, so its gradient is cut off."""
        return crop(dy, self.padding), {}

    def config(self) -> dict:
        return {"padding": self.padding, **super().config()}
