"""The record of one training step: a row for each layer, and the step as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.lessons.image_gradients import ImageGradients


@dataclass(frozen=True)
class Statistics:
    """Summary statistics of an array; `rms` is the root of the mean square, `zeros` the share of zeros."""

    mean: float
    std: float
    smallest: float
    largest: float
    rms: float
    zeros: float

    @classmethod
    def of(cls, array: Array) -> Statistics:
        """The statistics of an array of any shape, summed in float64."""
        mean = float(array.mean(dtype=np.float64))
        square = float(np.square(array, dtype=np.float64).mean())
        zeros = 1 - np.count_nonzero(array) / array.size
        return cls(
            mean, math.sqrt(max(square - mean * mean, 0.0)), float(array.min()), float(array.max()),
            math.sqrt(square), zeros
        )  # fmt: skip


@dataclass(frozen=True)
class Move:
    """How one parameter moved in one step: the Euclidean norms of the array, of its gradient and of its update."""

    weights: float
    gradient: float
    update: float

    @property
    def ratio(self) -> float:
        """The norm of the update divided by that of the weights; NaN if all weights are 0, as biases are at first."""
        return self.update / self.weights if self.weights > 0 else float("nan")


@dataclass
class LayerTrace:
    """One layer in one step. Bytes are counted for the whole batch, multiplications for one image."""

    name: str
    kind: str
    detail: str
    input_shape: tuple
    output_shape: tuple
    parameters: int
    state: str  # "trained", "frozen", "frozen, gradient passes", or "" without parameters
    algorithm: str = ""  # of a convolution
    multiplications: int = 0  # by the definition of the layer
    performed: int = 0  # by the algorithm in use; fewer only for Winograd
    kept_bytes: int = 0  # stored by the forward pass for the backward pass
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    activation: Statistics | None = None
    channels: int = 0  # channels, or units, of the output
    silent: int = 0  # channels of a ReLU that are 0 for every image and at every pixel
    gradient: Statistics | None = None  # dL/dy; None if the backward pass stops above this layer
    moves: dict[str, Move] = field(default_factory=dict)  # parameter name -> Move


@dataclass
class StepTrace:
    """A whole step: the loss before and after the update on the same images, and a LayerTrace for each layer."""

    images: int
    loss_name: str
    optimizer: str
    rate: float
    loss: float
    loss_after: float
    update_seconds: float
    layers: list[LayerTrace]
    prediction: np.ndarray  # (N, ...) before the update
    prediction_after: np.ndarray
    outputs: dict = field(default_factory=dict, repr=False)  # layer name -> feature maps of the first image
    gradients: ImageGradients | None = field(default=None, repr=False)  # if asked for
    joined_seconds: float = 0.0  # both passes as training runs them, with some neighbouring layers fused

    @property
    def forward_seconds(self) -> float:
        """The time of the forward pass, summed over the layers."""
        return sum(layer.forward_seconds for layer in self.layers)

    @property
    def backward_seconds(self) -> float:
        """The time of the backward pass, summed over the layers."""
        return sum(layer.backward_seconds for layer in self.layers)
