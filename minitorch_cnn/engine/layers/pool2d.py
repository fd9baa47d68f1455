"""What max and average pooling share: a window that slides over each channel separately."""

from collections.abc import Iterator

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.convolution.geometry import check_padding, output_size, pair, resolve_padding
from minitorch_cnn.engine.layers.layer import Layer
from minitorch_cnn.errors import ArgumentError


class Pool2D(Layer):
    """Arguments as in Keras: `pool_size` and `strides` (default: the pool size) as integers or pairs, `padding`."""

    random = False

    def __init__(
        self, pool_size: int | tuple = 2, strides: int | tuple | None = None, padding: str | int | tuple = "valid",
        name: str | None = None, trainable: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.pool_size = pair(pool_size, f"{self.name}: pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, f"{self.name}: strides")
        self.padding = check_padding(padding)
        for reach, sides in () if isinstance(self.padding, str) else zip(self.pool_size, self.padding):
            if max(sides) >= reach:  # a window would lie in the padding alone, where there is nothing to choose from
                window, got = "x".join(map(str, self.pool_size)), self.padding
                raise ArgumentError(f"{self.name}: padding: expected less than the window of {window}, got {got}")

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        pixels = resolve_padding(self.padding, input_shape[:2], self.pool_size, self.strides)
        return (*output_size(input_shape[:2], self.pool_size, self.strides, pixels, self.name), input_shape[2])

    @property
    def pixels(self) -> tuple:
        """The padding in pixels, ((top, bottom), (left, right))."""
        return resolve_padding(self.padding, self.input_shape[:2], self.pool_size, self.strides)

    def config(self) -> dict:
        return {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding, **super().config()}

    def describe(self) -> str:
        size = "x".join(map(str, self.pool_size))
        return size if self.strides == self.pool_size else f"{size} / {self.strides[0]}x{self.strides[1]}"


def taps(padded: Array, window: tuple, strides: tuple, out: tuple) -> Iterator[Array]:
    """For each place (p, q) in the window, in reading order: that place of every window, a view (N, OH, OW, C)."""
    (SH, SW), (OH, OW) = strides, out
    for p in range(window[0]):
        for q in range(window[1]):
            yield padded[:, p : p + SH * OH : SH, q : q + SW * OW : SW]
