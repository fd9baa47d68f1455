"""Activations as separate layers: ReLU, Sigmoid, Tanh, Softmax, and any other by its name."""

import math
from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arguments import at_least_zero, number
from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import activations
from minitorch_cnn.engine.layers.activated import Activated
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.more_activations import BentReLU


class ActivationLayer(Activated):
    """y = activation(x), any shape; the mathematics is in `activations.py`."""

    function: Any = activations.Linear

    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.activation = self.function()

    def scores(self, x: Array, training: bool = False) -> Forward:
        """x itself."""
        self.check_input(x)
        return x, ()

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dscores itself."""
        return dscores, {}


PLAIN = {"max_value": None, "negative_slope": 0, "threshold": 0}


class ReLU(ActivationLayer):
    """y = max(x, 0); or, as in Keras, bent: negative_slope * (x - threshold) below `threshold`, at most `max_value`."""

    function = activations.ReLU

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0,
        name: str | None = None, trainable: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.bends = {"max_value": max_value, "negative_slope": negative_slope, "threshold": threshold}
        for what, value in self.bends.items():
            if not (value is None and what == "max_value"):
                at_least_zero(value, f"{self.name}: {what}")
        if (max_value, negative_slope, threshold) != (None, 0, 0):
            largest = math.inf if max_value is None else float(max_value)
            self.activation = BentReLU("bent_relu", float(negative_slope), largest, float(threshold))

    @classmethod
    def kind(cls) -> str:
        return "relu"

    def config(self) -> dict:
        return {**{what: value for what, value in self.bends.items() if value != PLAIN[what]}, **super().config()}


class LeakyReLU(ActivationLayer):
    """y = x where x > 0, else negative_slope * x."""

    def __init__(self, negative_slope: float = 0.3, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.negative_slope = number(negative_slope, f"{self.name}: negative_slope")
        self.activation = BentReLU("leaky_relu", self.negative_slope)

    def config(self) -> dict:
        return {"negative_slope": self.negative_slope, **super().config()}


class ELU(ActivationLayer):
    """y = x where x > 0, else alpha * (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.alpha = number(alpha, f"{self.name}: alpha")
        self.activation = activations.ACTIVATIONS["elu"](self.alpha)

    def config(self) -> dict:
        return {"alpha": self.alpha, **super().config()}


class Activation(ActivationLayer):
    """y = the activation of that name: relu, silu, gelu, ..."""

    def __init__(self, activation: str, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.activation = activations.get(activation)

    def config(self) -> dict:
        return {"activation": self.activation.name, **super().config()}

    def describe(self) -> str:
        return self.activation.name


class Sigmoid(ActivationLayer):
    """y = 1 / (1 + exp(-x))."""

    function = activations.Sigmoid


class Tanh(ActivationLayer):
    """y = tanh(x)."""

    function = activations.Tanh


class Softmax(ActivationLayer):
    """y_i = exp(x_i) / sum_j exp(x_j) over the last axis."""

    function = activations.Softmax
