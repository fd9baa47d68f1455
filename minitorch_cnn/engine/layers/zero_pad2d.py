"""Zero padding as a layer of its own."""

from minitorch_cnn.engine.convolution.geometry import check_padding, crop, pad
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.errors import ArgumentError


class ZeroPad2D(Layer):
    """y (N, H + top + bottom, W + left + right, C): x with zeros around it.

    `padding` is an integer, (rows, columns) or ((top, bottom), (left, right)).
    """

    def __init__(self, padding=1, name=None, trainable=True):
        super().__init__(name, trainable)
        if isinstance(padding, str):
            raise ArgumentError(f"{self.name}: padding: expected an integer or pairs, got {padding!r}")
        self.padding = check_padding(padding)

    def output_shape_for(self, input_shape):
        self.require_image(input_shape)
        H, W, C = input_shape
        return (H + sum(self.padding[0]), W + sum(self.padding[1]), C)

    def forward(self, x, training=False):
        self.check_input(x)
        self.cache = ()
        return pad(x, self.padding)

    def backward(self, dy, need_dx=True):
        """The border was made of nothing: its gradient is cut off."""
        self.recall()
        return crop(dy, self.padding)

    def config(self):
        return {"padding": self.padding, **super().config()}
