"""Layers that move numbers and compute nothing: the gradient is moved back."""

import math
from collections.abc import Sequence

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.convolution.geometry import check_padding, crop, pad
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.errors import ArgumentError, ShapeError


class Reshape(Layer):
    """y (N, *target_shape): the numbers of x in the same order; one size may be -1, for what is left."""

    random = keeps_output = False

    def __init__(self, target_shape: Sequence[int], name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        shape = tuple(target_shape) if isinstance(target_shape, (tuple, list)) else (target_shape,)
        whole = all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
        if not whole or min(shape, default=1) < -1 or 0 in shape or shape.count(-1) > 1:
            raise ArgumentError(f"{self.name}: target_shape: expected whole numbers, at most one -1, got {shape}")
        self.target_shape = shape

    def output_shape_for(self, input_shape: tuple) -> tuple:
        numbers, known = math.prod(input_shape), math.prod(size for size in self.target_shape if size > 0)
        shape = tuple(numbers // known if size == -1 else size for size in self.target_shape)
        if math.prod(shape) != numbers:
            raise ShapeError(f"{self.name}: expected {numbers} numbers, as in {input_shape}, got {self.target_shape}")
        return shape

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return x.reshape(len(x), *self.output_shape), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the same numbers in the input's shape."""
        return dy.reshape(len(dy), *self.input_shape), {}

    def config(self) -> dict:
        return {"target_shape": self.target_shape, **super().config()}


class Permute(Layer):
    """y: the axes of x in the order `dims`, counted from 1, without the batch axis: (2, 1) exchanges two."""

    random = keeps_output = False

    def __init__(self, dims: Sequence[int], name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        whole = isinstance(dims, (tuple, list)) and all(isinstance(axis, int) for axis in dims)
        if not whole or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ArgumentError(f"{self.name}: dims: expected the numbers from 1 on in some order, got {dims!r}")
        self.dims = tuple(dims)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        if len(input_shape) != len(self.dims):
            raise ShapeError(f"{self.name}: expected an input of {len(self.dims)} axes, got {input_shape}")
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return namespace(x).ascontiguousarray(x.transpose(0, *self.dims)), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: the axes back in their places."""
        back = [0, *(1 + self.dims.index(axis) for axis in range(1, len(self.dims) + 1))]
        return namespace(dy).ascontiguousarray(dy.transpose(back)), {}

    def config(self) -> dict:
        return {"dims": self.dims, **super().config()}


class Cropping2D(Layer):
    """y (N, H - top - bottom, W - left - right, C): x without its border; `cropping` as the padding of `ZeroPad2D`."""

    random = keeps_output = False

    def __init__(self, cropping: int | tuple = 0, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        if isinstance(cropping, str):
            raise ArgumentError(f"{self.name}: cropping: expected an integer or pairs, got {cropping!r}")
        self.cropping = check_padding(cropping)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        rows, columns = (size - sum(cut) for size, cut in zip(input_shape, self.cropping))
        if rows < 1 or columns < 1:
            raise ShapeError(f"{self.name}: expected an input larger than {self.cropping}, got {input_shape}")
        return rows, columns, input_shape[2]

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return namespace(x).ascontiguousarray(crop(x, self.cropping)), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx: zeros where x was cut off."""
        return pad(dy, self.cropping), {}

    def config(self) -> dict:
        return {"cropping": self.cropping, **super().config()}
