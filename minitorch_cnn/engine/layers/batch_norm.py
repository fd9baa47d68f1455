"""Batch normalisation (Ioffe and Szegedy 2015): every channel gets a mean and a variance of its own choice.

    n = (x - mean) / sqrt(variance + epsilon)
    y = gamma n + beta                                         computed as y = (x - mean) * scale + beta

`moments` and `normalise` are the forward pass, `sums_backward` and `normalise_backward` the backward pass.
"""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arguments import above_zero, flag, number
from minitorch_cnn.arrays import Array, accelerated, namespace
from minitorch_cnn.engine.initializers import ones, zeros
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer
from minitorch_cnn.engine.reductions import channel_sum


@accelerated
def moments(x: Array) -> tuple[Array, Array]:
    """(mean, variance) of each channel, both (C,), over all other axes of x (..., C); the variance divides by N."""
    count = x.size // x.shape[-1]
    mean = channel_sum(x) / count
    centred = x - mean
    return mean, channel_sum(centred * centred) / count


@accelerated
def normalise(x: Array, mean: Array, scale: Array, shift: Array) -> Array:
    """y = (x - mean) * scale + shift, for each channel: mean, scale and shift are (C,)."""
    return (x - mean) * scale + shift


@accelerated
def sums_backward(dy: Array, x: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
    """(sum of dy, sum of dy * n) for each channel, where n = (x - mean) * inverse; both (C,)."""
    return channel_sum(dy), channel_sum(dy * ((x - mean) * inverse))


@accelerated
def normalise_backward(
    dy: Array, x: Array, mean: Array, inverse: Array, scale: Array, mean_dy: Array, mean_dy_n: Array
) -> Array:
    """dx = scale * (dy - mean(dy) - n * mean(dy * n)), where n = (x - mean) * inverse."""
    return scale * (dy - mean_dy - (x - mean) * inverse * mean_dy_n)


class BatchNorm(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel (the last axis) of x.

    In training, mean and variance (the biased one, divided by the count) are those of the batch, and the moving ones
    follow them: moving = momentum * moving + (1 - momentum) * batch. Otherwise the moving ones are used. A frozen
    layer (`trainable = False`) always uses the moving ones and does not change them, as in Keras.
    """

    initializers = {"gamma": ones, "beta": zeros, "moving_mean": zeros, "moving_variance": ones}
    statistics = ("moving_mean", "moving_variance")
    random = keeps_output = False

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        name: str | None = None, trainable: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.momentum = number(momentum, f"{self.name}: momentum", "a number in [0, 1]", lambda v: 0 <= v <= 1)
        self.epsilon = above_zero(epsilon, f"{self.name}: epsilon")
        self.center, self.scale = flag(center, f"{self.name}: center"), flag(scale, f"{self.name}: scale")

    def parameter_shapes(self) -> dict[str, tuple]:
        used = {"gamma": self.scale, "beta": self.center, "moving_mean": True, "moving_variance": True}
        return {name: (self.input_shape[-1],) for name, present in used.items() if present}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        self.check_input(x)
        mean, inverse, batch = self.statistics_of(x, training)
        y = normalise(x, mean, *self.scale_and_shift(inverse))
        return y, (x if self.trainable else None, mean, inverse, batch)

    def statistics_of(self, x: Array, training: bool) -> tuple[Array, Array, bool]:
        """(mean, 1 / sqrt(variance + epsilon), whether they are the batch's) to normalise x with.

        Where they are the batch's, the moving ones take a step towards them.
        """
        p = self.parameters
        batch = training and self.trainable
        if batch:
            mean, variance = self.moments_of_batch(x)
            p["moving_mean"] = self.momentum * p["moving_mean"] + (1 - self.momentum) * mean
            p["moving_variance"] = self.momentum * p["moving_variance"] + (1 - self.momentum) * variance
        else:
            mean, variance = p["moving_mean"].copy(), p["moving_variance"]
        return mean, 1 / namespace(x).sqrt(variance + self.epsilon), batch

    def moments_of_batch(self, x: Array) -> tuple[Array, Array]:
        """`moments`, also where several processes share the batch.

        A part whose mean lies d from the whole batch's adds d^2 to the variance of its own numbers.
        """
        mean, variance = moments(x)
        if self.share is None:
            return mean, variance
        whole = self.mean_of_shares(mean, x)
        return whole, self.mean_of_shares(variance + (mean - whole) ** 2, x)

    def mean_of_shares(self, mean: Array, x: Array) -> Array:
        """The mean over the whole batch of something whose mean over this process's x is `mean` (C,)."""
        if self.share is None:
            return mean
        count = x.size // x.shape[-1]
        return self.share.total(mean * count) / self.share.count_all(count)

    def scale_and_shift(self, inverse: Array) -> tuple[Array, Array]:
        """(gamma * inverse, beta): what `normalise` multiplies by and adds."""
        p = self.parameters
        scale = p["gamma"] * inverse if self.scale else inverse
        return scale, p["beta"] if self.center else namespace(inverse).zeros_like(inverse)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dgamma = sum dy * n, dbeta = sum dy; and with `scale` = gamma / sqrt(variance + epsilon)

            dx = scale * (dy - mean(dy) - n * mean(dy * n))

        The two means are there because the batch's mean and variance depend on x. The moving ones do not, and with
        them dx = scale * dy.
        """
        x, mean, inverse, batch = kept
        scale, _ = self.scale_and_shift(inverse)
        if not self.trainable:
            return dy * scale if need_dx else None, {}
        sums = sums_backward(dy, x, mean, inverse)
        gradients = self.gradients_from(*sums)
        if not need_dx:
            return None, gradients
        if not batch:
            return dy * scale, gradients
        return normalise_backward(dy, x, mean, inverse, scale, *self.means_from(sums, x)), gradients

    def gradients_from(self, sum_dy: Array, sum_dy_n: Array) -> dict[str, Array]:
        """{"gamma": dgamma, "beta": dbeta}, of those that the layer has."""
        used = {"gamma": (self.scale, sum_dy_n), "beta": (self.center, sum_dy)}
        return {name: gradient for name, (present, gradient) in used.items() if present}

    def means_from(self, sums: Sequence[Array], x: Array) -> Any:
        """The means over the whole batch of what `sums` are the sums of, over this process's x."""
        count = x.size // x.shape[-1]
        return [self.mean_of_shares(each / count, x) for each in sums]

    def config(self) -> dict:
        names = ("momentum", "epsilon", "center", "scale")
        return {**{name: getattr(self, name) for name in names}, **super().config()}
