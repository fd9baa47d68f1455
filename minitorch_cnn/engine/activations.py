"""Activations: y = f(x), element by element (softmax: row by row).

The derivative of each can be written in terms of its result y, so a layer keeps y and forgets x.
"""

from typing import Any

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.more_activations import MORE_ACTIVATIONS
from minitorch_cnn.errors import ArgumentError


class Linear:
    """y = x."""

    name = "linear"

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy."""
        return dy


@accelerated
def relu_backward(dy: Array, y: Array) -> Array:
    """dL/dx = dL/dy where y > 0, else 0; at the kink itself the derivative is taken as 0."""
    return dy * (y > 0)


class ReLU:
    """y = max(x, 0)."""

    name = "relu"

    def forward(self, x: Array) -> Array:
        return namespace(x).maximum(x, 0)

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy where y > 0, else 0."""
        return relu_backward(dy, y)


class Sigmoid:
    """y = 1 / (1 + exp(-x)), written with exp(-|x|) so that no x overflows."""

    name = "sigmoid"

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        small = xp.exp(-xp.abs(x))
        return xp.where(x >= 0, 1 / (1 + small), small / (1 + small))

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * y (1 - y)."""
        return dy * y * (1 - y)


class Tanh:
    """y = tanh(x)."""

    name = "tanh"

    def forward(self, x: Array) -> Array:
        return namespace(x).tanh(x)

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * (1 - y^2)."""
        return dy * (1 - y * y)


class Softmax:
    """y_i = exp(x_i) / sum_j exp(x_j) over the last axis.

    We subtract the largest x first, so the exponential never overflows; the result is the same.
    """

    name = "softmax"

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        e = xp.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx_i = y_i (dL/dy_i - sum_j dL/dy_j y_j), since dy_j/dx_i = y_j ([i = j] - y_i)."""
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


ACTIVATIONS: dict = {activation.name: activation for activation in (Linear, ReLU, Sigmoid, Tanh, Softmax)}
ACTIVATIONS |= MORE_ACTIVATIONS


def get(name: str | None) -> Any:
    """The activation called `name`; None is "linear"."""
    if name is None:
        return Linear()
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ArgumentError(f"activation: expected one of {', '.join(ACTIVATIONS)} or None, got {name!r}")
    return ACTIVATIONS[name]()
