"""Optimizers: how a gradient changes a parameter. Defaults and rules are Keras's, those of Muon Jordan's.

Each has a rule for a vector of parameters; `optimizer.py` applies it to all that a model trains.
"""

import math
from collections.abc import Iterable
from typing import Any

from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.optimizer import Optimizer
from minitorch_cnn.engine.orthogonal import orthogonal
from minitorch_cnn.engine.schedules import Schedule

__all__ = ["SGD", "Adam", "Muon", "Optimizer", "RMSprop", "adam_update", "rmsprop_update", "sgd_update"]


@accelerated
def sgd_update(w: Array, g: Array, m: Array | None, rate: Any, momentum: float, nesterov: bool, decay: float) -> None:
    """m = momentum m - rate g;  w = (1 - rate decay) w + m, or with nesterov + momentum m - rate g. In place."""
    if decay:
        w *= 1 - rate * decay
    if m is None:
        w -= rate * g
        return
    m *= momentum
    m -= rate * g
    w += momentum * m - rate * g if nesterov else m


@accelerated
def rmsprop_update(w: Array, g: Array, v: Array, rate: Any, rho: float, epsilon: float, decay: float) -> None:
    """v = rho v + (1 - rho) g^2;  w = (1 - rate decay) w - rate g / sqrt(v + epsilon). In place."""
    if decay:
        w *= 1 - rate * decay
    v *= rho
    v += (1 - rho) * g * g
    w -= rate * g / namespace(w).sqrt(v + epsilon)


@accelerated
def adam_update(
    w: Array, g: Array, m: Array, v: Array, rate: Any, beta_1: float, beta_2: float, epsilon: float, decay: float,
    corrected_rate: Any,
) -> None:  # fmt: skip
    """m, v: moving averages of g, g^2;  w = (1 - rate decay) w - corrected_rate m / (sqrt(v) + epsilon). In place."""
    if decay:
        w *= 1 - rate * decay
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    w -= corrected_rate * m / (namespace(w).sqrt(v) + epsilon)


class SGD(Optimizer):
    """Stochastic gradient descent with `momentum`; `nesterov` looks one step ahead."""

    def __init__(
        self, learning_rate: float | Schedule = 0.01, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0, clip_norm: float | None = None, multipliers: dict[str, float] | None = None,
        exclude_from_weight_decay: Iterable[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers, exclude_from_weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    @property
    def slots(self) -> tuple:  # type: ignore[override]
        """The momentum needs a vector, unless it is 0."""
        return ("momentum",) if self.momentum else ()

    def update(self, w: Array, g: Array, state: dict[str, Array], rate: Any) -> None:
        sgd_update(w, g, state.get("momentum"), rate, self.momentum, self.nesterov, self.weight_decay)


class RMSprop(Optimizer):
    """Divides each gradient by the root of the moving average of its square (Hinton's lecture 6e)."""

    slots = ("mean_square",)

    def __init__(
        self, learning_rate: float | Schedule = 0.001, rho: float = 0.9, epsilon: float = 1e-7,
        weight_decay: float = 0.0, clip_norm: float | None = None, multipliers: dict[str, float] | None = None,
        exclude_from_weight_decay: Iterable[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers, exclude_from_weight_decay)
        self.rho, self.epsilon = rho, epsilon

    def update(self, w: Array, g: Array, state: dict[str, Array], rate: Any) -> None:
        rmsprop_update(w, g, state["mean_square"], rate, self.rho, self.epsilon, self.weight_decay)


class Adam(Optimizer):
    """Moving averages of the gradient and its square, corrected for their start at zero (Kingma and Ba 2015)."""

    slots = ("mean", "mean_square")
    rate_count = 2

    def __init__(
        self, learning_rate: float | Schedule = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float = 1e-7, weight_decay: float = 0.0, clip_norm: float | None = None,
        multipliers: dict[str, float] | None = None, exclude_from_weight_decay: Iterable[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers, exclude_from_weight_decay)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rates(self, rate: float) -> tuple:
        return rate, rate * math.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)

    def update(self, w: Array, g: Array, state: dict[str, Array], rate: Any, corrected: Any) -> None:  # type: ignore[override]
        m, v = state["mean"], state["mean_square"]
        adam_update(w, g, m, v, rate, self.beta_1, self.beta_2, self.epsilon, self.weight_decay, corrected)


class Muon(SGD):
    """SGD with momentum in which the kernel of a convolution steps along an orthogonal matrix (Jordan 2024).

    The step of a kernel has the length of the learning rate in every direction, however large the gradient is
    (`orthogonal.py`). All other parameters take a step of SGD and usually need another rate:
    `Muon(0.1, multipliers={"dense": 6, "beta": 400})`.
    """

    def __init__(
        self, learning_rate: float | Schedule = 0.02, momentum: float = 0.95, nesterov: bool = True,
        weight_decay: float = 0.0, clip_norm: float | None = None, multipliers: dict[str, float] | None = None,
        exclude_from_weight_decay: Iterable[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(
            learning_rate, momentum, nesterov, weight_decay, clip_norm, multipliers, exclude_from_weight_decay
        )

    def matrix_shape(self, layer: Any, name: str) -> tuple[int, int] | None:
        """Kernels from all input channels to all output channels; so neither depthwise nor grouped ones."""
        shape = layer.parameter_shapes()[name]
        channels = (layer.input_shape[-1], layer.output_shape[-1])
        return (-1, shape[-1]) if len(shape) == 4 and shape[2:] == channels else None

    def update(self, w: Array, g: Array, state: dict[str, Array], rate: Any) -> None:
        """m = momentum m + g;  w = (1 - rate decay) w - rate scale orthogonal(m, or nesterov: momentum m + g).

        For a matrix `w` (M, N), where scale is the root of N / M, at least 1. For a vector, the update of SGD.
        """
        if w.ndim == 1:
            super().update(w, g, state, rate)
            return
        direction = g
        if (m := state.get("momentum")) is not None:
            m *= self.momentum
            m += g
            direction = self.momentum * m + g if self.nesterov else m
        along = max(1, w.shape[1] / len(w)) ** 0.5 * orthogonal(direction)
        sgd_update(w.reshape(-1), along.reshape(-1), None, rate, 0.0, False, self.weight_decay)


OPTIMIZERS = {optimizer.__name__: optimizer for optimizer in (SGD, RMSprop, Adam, Muon)}
