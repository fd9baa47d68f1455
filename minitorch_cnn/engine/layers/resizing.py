"""Images of another size: each output pixel is a weighted mean of input pixels, rows and columns separately.

    y = R x C^T            for each channel, with R (OH, H) and C (OW, W); each row of them adds up to 1
    dx = R^T dy C          the transpose: a pixel gets dy from where it was used, with the same weights

Both passes are two matrix products for each image and channel.
"""

from collections.abc import Sequence

import numpy as np

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import pair
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.errors import ArgumentError

INTERPOLATIONS = ("nearest", "bilinear")


def weights(new: int, old: int, interpolation: str) -> np.ndarray:
    """(new, old): the weights of the old pixels in each new one, by the place of its centre among theirs."""
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    if interpolation == "nearest":
        return (np.floor(centres + 0.5).clip(0, old - 1)[:, None] == np.arange(old)).astype(float)
    return np.maximum(0, 1 - abs(centres.clip(0, old - 1)[:, None] - np.arange(old)))


class Resizing(Layer):
    """y (N, height, width, C): x (N, H, W, C) resized, by "bilinear" or "nearest" interpolation, without smoothing."""

    random = keeps_output = False

    def __init__(
        self, height: int, width: int, interpolation: str = "bilinear", name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(name, trainable)
        if not isinstance(interpolation, str) or interpolation not in INTERPOLATIONS:
            expected = " or ".join(map(repr, INTERPOLATIONS))
            raise ArgumentError(f"{self.name}: interpolation: expected {expected}, got {interpolation!r}")
        self.height, self.width = pair((height, width), f"{self.name}: size")
        self.interpolation = interpolation

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        return self.height, self.width, input_shape[2]

    def _matrices(self, array: Array) -> tuple[Array, Array]:
        """R (OH, H) and C (OW, W)."""
        xp = namespace(array)
        sizes = zip(self.output_shape[:2], self.input_shape[:2])
        rows, columns = (xp.asarray(weights(*each, self.interpolation), dtype=array.dtype) for each in sizes)
        return rows, columns

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        rows, columns = self._matrices(x)
        return both_sides(x, rows, columns), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = R^T dy C."""
        rows, columns = self._matrices(dy)
        return both_sides(dy, rows.T, columns.T), {}

    def config(self) -> dict:
        return {"height": self.height, "width": self.width, "interpolation": self.interpolation, **super().config()}

    def describe(self) -> str:
        return self.interpolation


class UpSampling2D(Resizing):
    """y (N, H * rows, W * columns, C): x enlarged by the factors `size`, by repeating pixels or "bilinear"."""

    def __init__(
        self, size: int | tuple = 2, interpolation: str = "nearest", name: str | None = None, trainable: bool = True
    ) -> None:
        super().__init__(1, 1, interpolation, name, trainable)
        self.size = pair(size, f"{self.name}: size")

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        return input_shape[0] * self.size[0], input_shape[1] * self.size[1], input_shape[2]

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        if self.interpolation == "bilinear":
            return super().forward_pass(x, training)
        self.check_input(x)
        return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = R^T dy C; where pixels were repeated, the sum over the copies."""
        if self.interpolation == "bilinear":
            return super().backward_pass(dy, kept, need_dx)
        H, W, C = self.input_shape
        return dy.reshape(len(dy), H, self.size[0], W, self.size[1], C).sum(axis=(2, 4)), {}

    def config(self) -> dict:
        return {"size": self.size, "interpolation": self.interpolation, **Layer.config(self)}


def both_sides(x: Array, rows: Array, columns: Array) -> Array:
    """rows @ x @ columns.T for each image and channel of x (N, H, W, C)."""
    N, H, W, C = x.shape
    x = (rows @ x.reshape(N, H, W * C)).reshape(N * len(rows), W, C)
    return (columns @ x).reshape(N, len(rows), len(columns), C)
