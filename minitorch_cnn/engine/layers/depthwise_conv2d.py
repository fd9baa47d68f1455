"""Convolutions of each channel by itself: alone, and with a 1x1 convolution after it (a separable convolution)."""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.convolution.depthwise import Depthwise
from minitorch_cnn.engine.convolution.geometry import one
from minitorch_cnn.engine.initializers import glorot_uniform, zeros
from minitorch_cnn.engine.layers.conv2d import Conv2D
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.matmul import matmul
from minitorch_cnn.engine.reductions import channel_sum


class DepthwiseConv2D(Conv2D):
    """y (N, OH, OW, C*M): channel c of x (N, H, W, C) filtered by the M kernels of kernel (KH, KW, C, M).

    Arguments as for `Conv2D`; `depth_multiplier` is M. Output channel c*M + m is made by filter m of channel c. The
    passes are those of `Conv2D`, with another algorithm.
    """

    def __init__(
        self, kernel_size: int | tuple, strides: int | tuple = 1, padding: str | int | tuple = "valid",
        depth_multiplier: int = 1, dilation_rate: int | tuple = 1, activation: str | None = None,
        use_bias: bool = True, name: str | None = None, trainable: bool = True,
        depthwise_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            1, kernel_size, strides, padding, activation, use_bias, name, trainable, dilation_rate=dilation_rate,
            kernel_initializer=depthwise_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip
        self.depth_multiplier = one(depth_multiplier, f"{self.name}: depth_multiplier")

    def choose_initializers(self, groups: int | None = 0, **given: Any) -> None:
        """As for every layer; each channel is a group of its own."""
        super().choose_initializers(0, **given)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        return (*super().output_shape_for(input_shape)[:2], input_shape[2] * self.depth_multiplier)

    def take_shapes(self, input_shape: tuple) -> None:
        super().take_shapes(input_shape)
        self.filters = self.output_shape[2]

    def parameter_shapes(self) -> dict[str, tuple]:
        kernel = (*self.kernel_size, self.input_shape[2], self.depth_multiplier)
        return {**super().parameter_shapes(), "kernel": kernel}

    def algorithm_for(self, x: Array) -> Any:
        return Depthwise(self.dilation_rate)

    def config(self) -> dict:
        config = {**super().config(), "depth_multiplier": self.depth_multiplier}
        config = {name: value for name, value in config.items() if name not in ("filters", "algorithm")}
        initializer = config.pop("kernel_initializer", None)  # which Keras calls depthwise_initializer
        return config if initializer is None else {**config, "depthwise_initializer": initializer}

    def describe(self) -> str:
        return f"depthwise, {self.depth_multiplier} of {super().describe().partition(' of ')[2]}"

    def column_elements(self) -> int:
        return 0


class SeparableConv2D(Conv2D):
    """y (N, OH, OW, K): a depthwise convolution of x (N, H, W, C), and a 1x1 convolution of its result (Chollet 2017).

    Arguments as for `Conv2D`; `depth_multiplier` M. Parameters: depthwise_kernel (KH, KW, C, M), pointwise_kernel
    (1, 1, C*M, K), bias (K,).
    """

    initializers = {"depthwise_kernel": glorot_uniform, "pointwise_kernel": glorot_uniform, "bias": zeros}

    def __init__(
        self, filters: int, kernel_size: int | tuple, strides: int | tuple = 1, padding: str | int | tuple = "valid",
        dilation_rate: int | tuple = 1, depth_multiplier: int = 1, activation: str | None = None,
        use_bias: bool = True, name: str | None = None, trainable: bool = True,
        depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, activation, use_bias, name, trainable, dilation_rate=dilation_rate,
            bias_initializer=bias_initializer,
        )  # fmt: skip
        self.choose_initializers(0, depthwise_kernel=depthwise_initializer)
        self.choose_initializers(pointwise_kernel=pointwise_initializer)
        self.depth_multiplier = one(depth_multiplier, f"{self.name}: depth_multiplier")

    def choose_initializers(self, groups: int | None = 1, **given: Any) -> None:
        """As for every layer; the one kernel that `Conv2D` gives is not among the parameters."""
        super().choose_initializers(groups, **{n: value for n, value in given.items() if n in self.initializers})

    def parameter_shapes(self) -> dict[str, tuple]:
        C, M, K = self.input_shape[2], self.depth_multiplier, self.filters
        shapes = {"depthwise_kernel": (*self.kernel_size, C, M), "pointwise_kernel": (1, 1, C * M, K)}
        return {**shapes, "bias": (K,)} if self.use_bias else shapes

    def algorithm_for(self, x: Array) -> Any:
        return Depthwise(self.dilation_rate)

    def scores(self, x: Array, training: bool = False) -> Forward:
        """depthwise(x) @ pointwise_kernel + bias."""
        self.check_input(x)
        p = self.parameters
        between = self.algorithm_for(x).forward(x, p["depthwise_kernel"], self.strides, self.pixels)
        scores = matmul(between.reshape(-1, between.shape[3]), p["pointwise_kernel"][0, 0])
        if self.use_bias:
            scores += p["bias"]
        return scores.reshape(*between.shape[:3], self.filters), ((x, between) if self.trainable else (None, None))

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """The pointwise kernel as in a dense layer: dbetween = dscores @ kernel.T; then the depthwise one."""
        (x, between), gradients, p = kept, {}, self.parameters
        rows = dscores.reshape(-1, self.filters)
        dbetween = matmul(rows, p["pointwise_kernel"][0, 0].T).reshape(*dscores.shape[:3], -1)
        algorithm, kernel = self.algorithm_for(dscores), p["depthwise_kernel"]
        if self.trainable:
            gradients["depthwise_kernel"] = algorithm.backward_kernel(
                x, dbetween, kernel.shape, self.strides, self.pixels
            )
            gradients["pointwise_kernel"] = matmul(between.reshape(len(rows), -1).T, rows)[None, None]
            if self.use_bias:
                gradients["bias"] = channel_sum(dscores)
        if not need_dx:
            return None, gradients
        input_shape = (len(dscores), *self.input_shape)
        return algorithm.backward_input(dbetween, kernel, input_shape, self.strides, self.pixels), gradients

    def config(self) -> dict:
        config = {**super().config(), "depth_multiplier": self.depth_multiplier}
        del config["algorithm"]
        return config

    def describe(self) -> str:
        return f"separable, {super().describe()}"

    def kept_elements(self) -> int:
        OH, OW, K = self.output_shape
        return OH * OW * (K + self.input_shape[2] * self.depth_multiplier)

    def column_elements(self) -> int:
        return 0
