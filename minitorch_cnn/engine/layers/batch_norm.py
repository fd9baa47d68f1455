"""Batch normalisation (Ioffe and Szegedy 2015)."""

from collections.abc import Sequence

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.engine.initializers import ones, zeros
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import ArgumentError


class BatchNorm(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel (the last axis) of x.

    In training, mean and variance (the biased one, divided by the count) are those of the batch, and the moving ones
    follow them: moving = momentum * moving + (1 - momentum) * batch. Otherwise the moving ones are used. A frozen
    layer (`trainable = False`) always uses the moving ones and does not change them, as in Keras.
    """

    initializers = {"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones}
    statistics = ("moving_mean", "moving_variance")
    random = False

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        name: str | None = None, trainable: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        if not 0 <= momentum <= 1 or epsilon <= 0:
            raise ArgumentError(f"{self.name}: expected momentum in [0, 1] and epsilon > 0, got {momentum}, {epsilon}")
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.center, self.scale = bool(center), bool(scale)

    def parameter_shapes(self) -> dict[str, tuple]:
        used = {"gamma": self.scale, "beta": self.center, "moving_mean": True, "moving_variance": True}
        return {name: (self.input_shape[-1],) for name, present in used.items() if present}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        xp = namespace(x)
        p = self.parameters
        batch = training and self.trainable
        if batch:
            mean = self._mean(x)
            centred = x - mean
            variance = self._mean(centred * centred)
            p["moving_mean"] = self.momentum * p["moving_mean"] + (1 - self.momentum) * mean
            p["moving_variance"] = self.momentum * p["moving_variance"] + (1 - self.momentum) * variance
        else:
            centred, variance = x - p["moving_mean"], p["moving_variance"]
        inverse = 1 / xp.sqrt(variance + self.epsilon)
        normalised = centred * inverse
        y = normalised * p["gamma"] if self.scale else normalised
        return y + p["beta"] if self.center else y, (normalised, inverse, batch)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dgamma = sum dy * n, dbeta = sum dy, with n the normalised x; and with g = dy * gamma

            dx = (g - mean(g) - n * mean(g * n)) / sqrt(variance + epsilon)

        The two means are there because the batch's mean and variance depend on x. The moving ones do not, and with
        them dx = g / sqrt(variance + epsilon).
        """
        normalised, inverse, batch = kept
        gradients = {}
        if self.trainable:
            if self.scale:
                gradients["gamma"] = channel_sum(dy * normalised)
            if self.center:
                gradients["beta"] = channel_sum(dy)
        if not need_dx:
            return None, gradients
        g = dy * self.parameters["gamma"] if self.scale else dy
        if not batch:
            return g * inverse, gradients
        return (g - self._mean(g) - normalised * self._mean(g * normalised)) * inverse, gradients

    def _mean(self, x: Array) -> Array:
        """(C,) means of x (..., C) over the whole batch, also where several processes share it."""
        sums, count = channel_sum(x), x.size // x.shape[-1]
        return sums / count if self.share is None else self.share.total(sums) / self.share.count_all(count)

    def config(self) -> dict:
        return {
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **super().config(),
        }
