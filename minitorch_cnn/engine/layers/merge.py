"""Layers that make one value of several: sums, products, and channels side by side.

    y = x1 + x2          each branch gets the whole gradient, dx1 = dx2 = dy
    y = x1 * x2          dx1 = dy * x2, dx2 = dy * x1
    y = [x1, x2]         each gets its own channels of dy

As in NumPy an axis of length 1 is repeated to fit the other arrays (one factor for each channel, (1, 1, C), times a
feature map (H, W, C)). What was repeated has changed the loss in many places, so its gradient is summed over them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arguments import check_floats
from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.errors import ArgumentError, ShapeError


@accelerated
def add(x1: Array, x2: Array) -> Array:
    """x1 + x2, as NumPy adds arrays of shapes that fit together."""
    return x1 + x2


@accelerated
def multiply(x1: Array, x2: Array) -> Array:
    """x1 * x2, as NumPy multiplies arrays of shapes that fit together."""
    return x1 * x2


@accelerated
def factors_backward(dy: Array, x: Array) -> Array:
    """dL/dfactors (N, 1, 1, C) of y = x * factors, for dy and x (N, H, W, C): summed over the pixels."""
    return (dy * x).sum(axis=(1, 2), keepdims=True)


class Merge(Layer):
    """Base of them: `input_shape` is a tuple of shapes, x and dx are lists of arrays."""

    random = keeps_output = False
    keeps_inputs = True  # False: the gradients do not depend on them
    most = 10_000  # inputs

    def build(self, input_shape: Any) -> None:
        several = len(input_shape) > 1 and all(isinstance(shape, (tuple, list)) for shape in input_shape)
        if not several or len(input_shape) > self.most:
            expected = "two" if self.most == 2 else "at least two"
            raise ShapeError(f"{self.name}: expected a list of {expected} inputs, got {input_shape}")
        self.take_shapes(tuple(tuple(int(size) for size in shape) for shape in input_shape))

    def output_shape_for(self, input_shape: tuple) -> tuple:
        try:
            shape = np.broadcast_shapes(*input_shape)
        except ValueError:
            shape = ()
        if len({len(each) for each in input_shape}) > 1 or not shape:
            got = ", ".join(map(str, input_shape))
            raise ShapeError(f"{self.name}: expected inputs of one shape, apart from axes of length 1, got {got}")
        return shape

    def check_input(self, x: Any) -> None:
        """Check that x is a list of arrays (N, *shape), as many and of the shapes that the layer was built for."""
        shapes = tuple(tuple(array.shape[1:]) for array in x)
        if self.input_shape is None:
            self.build(shapes)
        if shapes != self.input_shape:
            raise ShapeError(f"{self.name}: expected inputs of the shapes {self.input_shape}, got {shapes}")

    def forward_pass(self, x: Any, training: bool = False) -> Forward:
        self.check_input(x)
        return self.merged(x), tuple(x) if self.keeps_inputs else ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """[dx of each input]."""
        if not need_dx:
            return None, {}
        return [sum_to(dx, shape) for dx, shape in zip(self.gradients_of(dy, kept), self.input_shape)], {}

    def merged(self, x: Sequence[Array]) -> Array:
        """y of the inputs."""
        raise NotImplementedError(f"{type(self).__name__}: define merged and gradients_of")

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        """dL/dx of each input, in the shape of y or its own; without `keeps_inputs` x is empty."""
        raise NotImplementedError(f"{type(self).__name__}: define merged and gradients_of")


def sum_to(dx: Array, shape: tuple) -> Array:
    """`dx` (N, ...) summed over the axes that were repeated from `shape` (without N)."""
    axes = tuple(axis for axis, size in enumerate(shape, 1) if size == 1 and dx.shape[axis] > 1)
    return dx.sum(axis=axes, keepdims=True) if axes else dx


class Add(Merge):
    """y = x1 + x2 + ...: the sum of a residual connection (He et al. 2015)."""

    keeps_inputs = False

    def merged(self, x: Sequence[Array]) -> Array:
        y = add(x[0], x[1])
        for other in x[2:]:
            y = add(y, other)
        return y

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        return [dy] * len(self.input_shape)


class Subtract(Merge):
    """y = x1 - x2."""

    most, keeps_inputs = 2, False

    def merged(self, x: Sequence[Array]) -> Array:
        return x[0] - x[1]

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        return [dy, -dy]


class Multiply(Merge):
    """y = x1 * x2 * ..."""

    def merged(self, x: Sequence[Array]) -> Array:
        y = multiply(x[0], x[1])
        for factor in x[2:]:
            y = multiply(y, factor)
        return y

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        """dx_i = dy times all other factors."""
        found = []
        for place, own in enumerate(x):
            *others, last = *x[:place], *x[place + 1 :]
            dx = dy
            for other in others:
                dx = multiply(dx, other)
            of_channels = dx.ndim == 4 and own.shape[1:3] == (1, 1) and own.shape[3] == dx.shape[3]
            found.append((factors_backward if of_channels and last.shape == dx.shape else multiply)(dx, last))
        return found


class Average(Merge):
    """y = (x1 + x2 + ...) / their number."""

    keeps_inputs = False

    def merged(self, x: Sequence[Array]) -> Array:
        check_floats(self.name, x[0], "inputs")  # 1 / 2 would be 0 in integers
        return sum(x[2:], x[0] + x[1]) * x[0].dtype.type(1 / len(x))

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        inputs = len(self.input_shape)
        return [dy * dy.dtype.type(1 / inputs)] * inputs


class Maximum(Merge):
    """y = the largest of x1, x2, ... at each place; if several are equal, the first gets the gradient."""

    def merged(self, x: Sequence[Array]) -> Array:
        y = namespace(x[0]).maximum(x[0], x[1])
        for other in x[2:]:
            y = namespace(y).maximum(y, other)
        return y

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        y, found = self.merged(x), []
        free = namespace(dy).ones(dy.shape, dtype=bool)  # places whose winner has not been met
        for each in x:
            won = (each == y) & free
            found.append(dy * won)
            free = free & ~won
        return found


class Concatenate(Merge):
    """y = the inputs side by side along `axis`, counted with the batch axis as 0; -1: the channels."""

    keeps_inputs = False

    def __init__(self, axis: int = -1, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        if not isinstance(axis, int) or isinstance(axis, bool) or axis == 0:
            raise ArgumentError(f"{self.name}: axis: expected an axis behind the batch axis, got {axis!r}")
        self.axis = axis

    def output_shape_for(self, input_shape: tuple) -> tuple:
        axis, first = self._place(len(input_shape[0])), input_shape[0]
        rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in input_shape}
        if len(rest) > 1 or len({len(shape) for shape in input_shape}) > 1:
            raise ShapeError(
                f"{self.name}: expected inputs that differ along axis {self.axis} alone,"
                f" got {', '.join(map(str, input_shape))}"
            )
        return (*first[:axis], sum(shape[axis] for shape in input_shape), *first[axis + 1 :])

    def _place(self, axes: int) -> int:
        """The axis among `axes` without the batch axis."""
        place = self.axis - 1 if self.axis > 0 else axes + self.axis
        if not 0 <= place < axes:
            raise ShapeError(f"{self.name}: axis {self.axis}: expected one of {axes} axes behind the batch axis")
        return place

    def merged(self, x: Sequence[Array]) -> Array:
        return namespace(x[0]).concatenate(x, axis=1 + self._place(x[0].ndim - 1))

    def gradients_of(self, dy: Array, x: Sequence[Array]) -> list[Array]:
        axis, found, first = 1 + self._place(dy.ndim - 1), [], 0
        for shape in self.input_shape:
            stop = first + shape[axis - 1]
            found.append(dy[(slice(None),) * axis + (slice(first, stop),)])
            first = stop
        return found

    def config(self) -> dict:
        return {"axis": self.axis, **super().config()}

    def describe(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"
