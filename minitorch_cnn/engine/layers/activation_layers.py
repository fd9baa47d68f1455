"""Activations as separate layers: ReLU, Sigmoid, Tanh, Softmax."""

from collections.abc import Sequence

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import activations
from minitorch_cnn.engine.layers.activated import Activated
from minitorch_cnn.engine.layers.layer import Backward, Forward


class ActivationLayer(Activated):
    """y = activation(x), any shape; the mathematics is in `activations.py`."""

    function: type

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


class ReLU(ActivationLayer):
    """y = max(x, 0)."""

    function = activations.ReLU

    @classmethod
    def kind(cls) -> str:
        return "relu"


class Sigmoid(ActivationLayer):
    """y = 1 / (1 + exp(-x))."""

    function = activations.Sigmoid


class Tanh(ActivationLayer):
    """y = tanh(x)."""

    function = activations.Tanh


class Softmax(ActivationLayer):
    """y_i = exp(x_i) / sum_j exp(x_j) over the last axis."""

    function = activations.Softmax
