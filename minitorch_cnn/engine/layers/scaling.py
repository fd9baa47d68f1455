"""Layers that scale numbers: preprocessing inside a network, normalization over the channels, learned factors."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arguments import above_zero, flag, number
from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.initializers import ones, zeros
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import ArgumentError, ShapeError

TINY = 1e-7  # the least deviation that `Normalization` divides by, as in Keras


class Rescaling(Layer):
    """y = x * scale + offset; each a number, or a list with one for each channel."""

    random = keeps_output = False

    def __init__(self, scale: Any, offset: Any = 0.0, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.scale, self.offset = (self._checked(what, value) for what, value in (("scale", scale), ("offset", offset)))

    def _checked(self, what: str, value: Any) -> Any:
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError, OverflowError):
            array = np.array([[math.nan]])
        if array.ndim > 1 or not np.isfinite(array).all():
            raise ArgumentError(f"{self.name}: {what}: expected a number, or one for each channel, got {value!r}")
        return array.tolist()

    def output_shape_for(self, input_shape: tuple) -> tuple:
        for what, value in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(value, list) and len(value) not in (1, input_shape[-1]):
                raise ShapeError(f"{self.name}: {what}: expected {input_shape[-1]} numbers, got {len(value)}")
        return input_shape

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return x * _beside(x, self.scale) + _beside(x, self.offset), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = dy * scale."""
        return dy * _beside(dy, self.scale), {}

    def config(self) -> dict:
        return {"scale": self.scale, "offset": self.offset, **super().config()}


def _beside(x: Array, value: Any) -> Any:
    """A list as an array like x; a number as it is, since a CUDA graph cannot contain a copy from the host."""
    return namespace(x).asarray(value, dtype=x.dtype) if isinstance(value, list) else value


class Normalization(Layer):
    """y = (x - mean) / sqrt(variance) for each channel; both are loaded, and training leaves them alone."""

    random = False
    initializers = {"mean": zeros, "variance": ones}
    statistics = ("mean", "variance")

    def parameter_shapes(self) -> dict[str, tuple]:
        return {name: (self.input_shape[-1],) for name in self.statistics}

    def _deviation(self) -> Array:
        variance = self.parameters["variance"]
        xp = namespace(variance)
        return xp.maximum(xp.sqrt(variance), variance.dtype.type(TINY))

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return (x - self.parameters["mean"]) / self._deviation(), ()

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dx = dy / sqrt(variance)."""
        return dy / self._deviation() if need_dx else None, {}

    @property
    def learns(self) -> bool:
        """False: training changes neither of its parameters."""
        return False


class LayerNorm(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, over the channels of each pixel (Ba et al. 2016).

    Mean and variance are those of one pixel's C channels, so images do not depend on each other, and training and
    predicting are alike.
    """

    random = False
    initializers = {"gamma": ones, "beta": zeros}

    def __init__(
        self, epsilon: float = 1e-3, center: bool = True, scale: bool = True, name: str | None = None,
        trainable: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.epsilon = above_zero(epsilon, f"{self.name}: epsilon")
        self.center, self.scale = flag(center, f"{self.name}: center"), flag(scale, f"{self.name}: scale")

    def parameter_shapes(self) -> dict[str, tuple]:
        used = {"gamma": self.scale, "beta": self.center}
        return {name: (self.input_shape[-1],) for name, present in used.items() if present}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        centred = x - x.mean(axis=-1, keepdims=True)
        inverse = 1 / namespace(x).sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.epsilon)
        normalised = centred * inverse
        y = normalised * self.parameters["gamma"] if self.scale else normalised
        return y + self.parameters["beta"] if self.center else y, (normalised, inverse)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dgamma = sum dy * n, dbeta = sum dy; and with g = dy * gamma, as for BatchNorm but over the channels,

        dx = (g - mean(g) - n * mean(g * n)) / sqrt(variance + epsilon)
        """
        (normalised, inverse), gradients = kept, {}
        if self.trainable and self.scale:
            gradients["gamma"] = channel_sum(dy * normalised)
        if self.trainable and self.center:
            gradients["beta"] = channel_sum(dy)
        if not need_dx:
            return None, gradients
        g = dy * self.parameters["gamma"] if self.scale else dy
        along = normalised * (g * normalised).mean(axis=-1, keepdims=True)
        return (g - g.mean(axis=-1, keepdims=True) - along) * inverse, gradients

    def config(self) -> dict:
        return {"epsilon": self.epsilon, "center": self.center, "scale": self.scale, **super().config()}


class LayerScale(Layer):
    """y = x * gamma, a learned factor for each channel that begins at `init_values` (Touvron et al. 2021)."""

    random = False

    def __init__(self, init_values: float = 1e-6, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        self.init_values = number(init_values, f"{self.name}: init_values")
        self.initializers = {"gamma": functools.partial(filled, value=self.init_values)}

    def parameter_shapes(self) -> dict[str, tuple]:
        return {"gamma": (self.input_shape[-1],)}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        return x * self.parameters["gamma"], (x if self.trainable else None,)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dgamma = sum of dy * x, dx = dy * gamma."""
        (x,) = kept
        gradients = {"gamma": channel_sum(dy * x)} if self.trainable else {}
        return dy * self.parameters["gamma"] if need_dx else None, gradients

    def config(self) -> dict:
        return {"init_values": self.init_values, **super().config()}


def filled(rng: np.random.Generator, shape: tuple, value: float) -> np.ndarray:
    """An initial value for every number of an array."""
    return np.full(shape, value)


class PReLU(Layer):
    """y = x where x > 0, else alpha * x with a learned alpha; one for each number, or shared along `shared_axes`.

    The axes are counted from 1, without the batch axis: (1, 2) gives one alpha for each channel (He et al. 2015).
    """

    random = False
    initializers = {"alpha": zeros}

    def __init__(self, shared_axes: Any = None, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name, trainable)
        axes = [] if shared_axes is None else shared_axes
        axes = list(axes) if isinstance(axes, (tuple, list)) else [axes]
        if not all(isinstance(axis, int) and not isinstance(axis, bool) and axis > 0 for axis in axes):
            raise ArgumentError(f"{self.name}: shared_axes: expected axes from 1 on, got {shared_axes!r}")
        self.shared_axes = tuple(axes)

    @classmethod
    def kind(cls) -> str:
        return "prelu"

    def parameter_shapes(self) -> dict[str, tuple]:
        sizes = enumerate(self.input_shape, 1)
        return {"alpha": tuple(1 if axis in self.shared_axes else size for axis, size in sizes)}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        xp = namespace(x)
        return xp.maximum(x, 0) + self.parameters["alpha"] * xp.minimum(x, 0), (x,)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dalpha = sum of dy * x where x < 0; dx = dy where x > 0, else dy * alpha."""
        (x,), gradients = kept, {}
        xp, alpha = namespace(dy), self.parameters["alpha"]
        if self.trainable:
            axes = (0, *(axis for axis in self.shared_axes if axis < dy.ndim))
            gradients["alpha"] = (dy * xp.minimum(x, 0)).sum(axis=axes, keepdims=True)[0]
        return dy * xp.where(x > 0, dy.dtype.type(1), alpha) if need_dx else None, gradients

    def config(self) -> dict:
        return {"shared_axes": list(self.shared_axes), **super().config()}
