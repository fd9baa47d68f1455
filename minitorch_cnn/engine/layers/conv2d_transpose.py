"""Transposed convolution layer: small maps made large, as in the upper half of a U-Net."""

from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import convolution
from minitorch_cnn.engine.convolution.geometry import output_size, pair
from minitorch_cnn.engine.convolution.grouped import Grouped
from minitorch_cnn.engine.convolution.transposed import Transposed
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.errors import ShapeError


class Conv2DTranspose(Conv2D):
    """y (N, OH, OW, K) of x (N, H, W, C): each pixel of x adds kernel (KH, KW, K, C) times its channels to a window.

    The windows are `strides` apart. Sizes as in Keras, where R is what a window reaches over:

        "valid"   OH = H*S + max(R - S, 0)         with `output_padding` P: (H - 1)*S + R + P
        "same"    OH = H*S                                                  (H - 1)*S + R - 2*(R // 2) + P
        pixels    OH = (H - 1)*S + R - top - bottom + P

    Other arguments as for `Conv2D`; the passes are those of `Conv2D`, with another algorithm. ShapeError where a
    convolution of the output would not lead back to the input's size.
    """

    def __init__(
        self, filters: int, kernel_size: int | tuple, strides: int | tuple = 1, padding: str | int | tuple = "valid",
        output_padding: int | tuple | None = None, dilation_rate: int | tuple = 1, activation: str | None = None,
        use_bias: bool = True, name: str | None = None, trainable: bool = True, algorithm: str = "auto",
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, activation, use_bias, name, trainable, algorithm, dilation_rate,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.output_padding = None if output_padding is None else pair(output_padding, "output_padding", 0)

    def choose_initializers(self, groups: int | None = None, **given: Any) -> None:
        """As for every layer, but without `identity`, whose filters would be the channels."""
        super().choose_initializers(None, **given)

    @classmethod
    def kind(cls) -> str:
        return "conv2d_transpose"

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        size = self._size(input_shape)
        pixels = self._pixels(input_shape)
        if min(size) < 1 or output_size(size, self.reach, self.strides, pixels, self.name) != tuple(input_shape[:2]):
            raise ShapeError(
                f"{self.name}: expected padding that fits strides {self.strides} and a window of"
                f" {self.reach[0]}x{self.reach[1]}, got {self.padding!r} and output_padding {self.output_padding}"
            )
        return (*size, self.filters)

    def _size(self, input_shape: tuple) -> tuple[int, int]:
        """(OH, OW)."""
        sizes = []
        for axis, (length, step, reach) in enumerate(zip(input_shape, self.strides, self.reach)):
            more = None if self.output_padding is None else self.output_padding[axis]
            if self.padding == "same":
                sizes.append(length * step if more is None else (length - 1) * step + reach % 2 + more)
            elif self.padding == "valid":
                sizes.append((length - 1) * step + (max(reach, step) if more is None else reach + more))
            else:
                sizes.append((length - 1) * step + reach - sum(self.padding[axis]) + (more or 0))
        return sizes[0], sizes[1]

    def _pixels(self, input_shape: tuple) -> tuple:
        if self.padding != "same":
            return ((0, 0), (0, 0)) if self.padding == "valid" else self.padding
        sides = []
        for length, size, step, reach in zip(input_shape, self._size(input_shape), self.strides, self.reach):
            total = max((length - 1) * step + reach - size, 0)
            sides.append((total // 2, total - total // 2))
        return tuple(sides)

    @property
    def pixels(self) -> tuple:
        """The padding of the convolution that leads back, which is cut off the output: ((top, bottom), ...)."""
        return self._pixels(self.input_shape)

    def parameter_shapes(self) -> dict[str, tuple]:
        return {**super().parameter_shapes(), "kernel": (*self.kernel_size, self.filters, self.input_shape[2])}

    def algorithm_for(self, x: Array) -> Any:
        back: Any = Grouped(self.dilation_rate)
        if self.plain:
            shape = self.parameter_shapes()["kernel"]
            back = convolution.choose(self.algorithm, x, shape, self.strides, self.input_shape[:2])
        return Transposed(back, self.output_shape[:2])

    def config(self) -> dict:
        return {**super().config(), "output_padding": self.output_padding}

    def column_elements(self) -> int:
        H, W, _ = self.input_shape
        return H * W * self.kernel_size[0] * self.kernel_size[1] * self.filters
