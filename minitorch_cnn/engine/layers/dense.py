"""Dense (fully connected) layer: y = x W + b."""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arguments import flag
from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import activations
from minitorch_cnn.engine.convolution.geometry import one
from minitorch_cnn.engine.initializers import glorot_uniform, zeros
from minitorch_cnn.engine.layers.activated import Activated
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import ShapeError


class Dense(Activated):
    """y (N, units) = activation(x (N, D) @ kernel (D, units) + bias (units,)).

    Arguments as in Keras: `units`, `activation` (name or None), `use_bias`; initializers by name.
    """

    initializers = {"kernel": glorot_uniform, "bias": zeros}

    def __init__(
        self, units: int, activation: str | None = None, use_bias: bool = True, name: str | None = None,
        trainable: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.units = one(units, f"{self.name}: units")
        self.activation = activations.get(activation)
        self.use_bias = flag(use_bias, f"{self.name}: use_bias")
        self.choose_initializers(kernel=kernel_initializer, bias=bias_initializer)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        if len(input_shape) != 1:
            raise ShapeError(f"{self.name}: expected input of shape (D,), got {input_shape}; put a Flatten before it")
        return (self.units,)

    def parameter_shapes(self) -> dict[str, tuple]:
        shapes = {"kernel": (self.input_shape[0], self.units)}
        return {**shapes, "bias": (self.units,)} if self.use_bias else shapes

    def scores(self, x: Array, training: bool = False) -> Forward:
        """x @ kernel + bias."""
        self.check_input(x)
        scores = matmul(x, self.parameters["kernel"])
        if self.use_bias:
            scores += self.parameters["bias"]
        return scores, (x if self.trainable else None,)

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dkernel = x.T @ dscores, dbias = sum of dscores over the batch, dx = dscores @ kernel.T."""
        (x,), gradients = kept, {}
        if self.trainable:
            gradients["kernel"] = matmul(x.T, dscores)
            if self.use_bias:
                gradients["bias"] = channel_sum(dscores)
        return matmul(dscores, self.parameters["kernel"].T) if need_dx else None, gradients

    def config(self) -> dict:
        return {"units": self.units, "activation": self.activation.name, "use_bias": self.use_bias, **super().config()}

    def describe(self) -> str:
        return f"{self.units}, {self.activation.name}"
