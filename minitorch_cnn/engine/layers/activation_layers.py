"""Activations as layers of their own: ReLU, Sigmoid, Tanh, Softmax."""

from minitorch_cnn.engine import activations
from minitorch_cnn.engine.layers.layer import Activated


class ActivationLayer(Activated):
    """y = activation(x), any shape; the mathematics stands in `activations.py`."""

    function: type

    def __init__(self, name=None, trainable=True):
        super().__init__(name, trainable)
        self.activation = self.function()

    def scores(self, x, training=False):
        """x itself."""
        self.check_input(x)
        self.cache = ()
        return x

    def backward_scores(self, dscores, need_dx=True):
        """dscores itself."""
        return dscores


class ReLU(ActivationLayer):
    """y = max(x, 0)."""

    function = activations.ReLU

    @classmethod
    def kind(cls):
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
