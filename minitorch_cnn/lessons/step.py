"""What is known of one training step: a row for each layer, and the whole."""

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """What an array looks like; `rms` is the root of the mean square, `zeros` the share of numbers that are 0."""

    mean: float
    std: float
    smallest: float
    largest: float
    rms: float
    zeros: float

    @classmethod
    def of(cls, array):
        """The statistics of `array`, added up in float64."""
        mean = float(array.mean(dtype=np.float64))
        square = float(np.square(array, dtype=np.float64).mean())
        zeros = 1 - np.count_nonzero(array) / array.size
        return cls(
            mean, math.sqrt(max(square - mean * mean, 0.0)), float(array.min()), float(array.max()),
            math.sqrt(square), zeros
        )  # fmt: skip


@dataclass(frozen=True)
class Move:
    """One parameter in one step: the lengths of the array, of its gradient and of the update, and their ratio."""

    weights: float
    gradient: float
    update: float

    @property
    def ratio(self):
        """Update to weights; NaN for an array of zeros, as biases are at the start."""
        return self.update / self.weights if self.weights > 0 else float("nan")


@dataclass
class LayerTrace:
    """One layer in one step. Bytes are those of the batch; multiplications are counted for one image."""

    name: str
    kind: str
    detail: str
    input_shape: tuple
    output_shape: tuple
    parameters: int
    state: str  # "trained", "frozen", "frozen, gradient passes", or "" without parameters
    algorithm: str = ""  # of a convolution
    multiplications: int = 0  # by the definition
    performed: int = 0  # by the algorithm, the same but for Winograd
    kept_bytes: int = 0  # what forward keeps for backward
    forward_seconds: float = 0.0
    backward_seconds: float = 0.0
    activation: Statistics | None = None
    channels: int = 0  # channels, or units, of the output
    silent: int = 0  # those of a ReLU that are 0 for every image and at every place
    gradient: Statistics | None = None  # dL/dy, None where the way back does not come
    moves: dict = field(default_factory=dict)  # parameter name -> Move


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
    layers: list
    prediction: np.ndarray  # (N, ...) before the update
    prediction_after: np.ndarray
    outputs: dict = field(default_factory=dict, repr=False)  # layer name -> its first image's feature map
    joined_seconds: float = 0.0  # both passes as a training runs them, some neighbours as one

    @property
    def forward_seconds(self):
        """Of all layers."""
        return sum(layer.forward_seconds for layer in self.layers)

    @property
    def backward_seconds(self):
        """Of all layers."""
        return sum(layer.backward_seconds for layer in self.layers)
