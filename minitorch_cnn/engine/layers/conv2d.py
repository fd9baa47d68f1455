"""Two-dimensional convolution layer."""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arguments import flag
from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import activations, convolution
from minitorch_cnn.engine.convolution.geometry import (
    LARGEST,
    check_padding,
    one,
    output_size,
    pair,
    resolve_padding,
    window_reach,
)
from minitorch_cnn.engine.convolution.grouped import Grouped
from minitorch_cnn.engine.initializers import glorot_uniform, zeros
from minitorch_cnn.engine.layers.activated import Activated
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.errors import ArgumentError, ShapeError


class Conv2D(Activated):
    """y (N, OH, OW, K) = activation(convolution of x (N, H, W, C) with kernel (KH, KW, C, K) + bias (K,)).

    Arguments as in Keras: `filters` K, `kernel_size` and `strides` (integer or pair), `padding` ("valid", "same", an
    integer, (rows, columns) or ((top, bottom), (left, right))), `activation`, `use_bias`. `algorithm` names the module
    of `convolution/` that does the work; "auto" chooses by the shapes. With `dilation_rate` above 1 the taps of a
    window lie apart, and with several `groups` a filter sees only the channels of its own; `grouped` does these.
    """

    initializers = {"kernel": glorot_uniform, "bias": zeros}

    def __init__(
        self, filters: int, kernel_size: int | tuple, strides: int | tuple = 1, padding: str | int | tuple = "valid",
        activation: str | None = None, use_bias: bool = True, name: str | None = None, trainable: bool = True,
        algorithm: str = "auto", dilation_rate: int | tuple = 1, groups: int = 1,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        super().__init__(name, trainable)
        self.filters = one(filters, f"{self.name}: filters")
        self.kernel_size = pair(kernel_size, f"{self.name}: kernel_size")
        self.strides = pair(strides, f"{self.name}: strides")
        self.padding = check_padding(padding)
        self.activation = activations.get(activation)
        self.use_bias = flag(use_bias, f"{self.name}: use_bias")
        convolution.check_name(algorithm)  # a wrong name fails here, where it was typed
        self.algorithm = algorithm
        self.dilation_rate = pair(dilation_rate, f"{self.name}: dilation_rate")
        self.groups = one(groups, f"{self.name}: groups", LARGEST)
        if self.filters % self.groups:
            raise ArgumentError(f"{self.name}: expected filters in {self.groups} equal groups, got {self.filters}")
        if algorithm != "auto" and not self.plain:
            raise ArgumentError(
                f"{self.name}: algorithm: expected 'auto' for a convolution with groups or a dilation_rate, which"
                f" `grouped` computes, got {algorithm!r}"
            )
        self.choose_initializers(self.groups, kernel=kernel_initializer, bias=bias_initializer)

    @property
    def plain(self) -> bool:
        """Whether the window has no holes and there is one group, as the modules of `convolution/` expect."""
        return self.dilation_rate == (1, 1) and self.groups == 1

    @property
    def reach(self) -> tuple[int, int]:
        """The rows and columns that a window spans, with its holes."""
        return window_reach(self.kernel_size, self.dilation_rate)

    def output_shape_for(self, input_shape: tuple) -> tuple:
        self.require_image(input_shape)
        if input_shape[2] % self.groups:
            raise ShapeError(f"{self.name}: expected channels in {self.groups} equal groups, got {input_shape[2]}")
        pixels = resolve_padding(self.padding, input_shape[:2], self.reach, self.strides)
        return (*output_size(input_shape[:2], self.reach, self.strides, pixels, self.name), self.filters)

    @property
    def pixels(self) -> tuple:
        """The padding in pixels, ((top, bottom), (left, right))."""
        return resolve_padding(self.padding, self.input_shape[:2], self.reach, self.strides)

    def parameter_shapes(self) -> dict[str, tuple]:
        shapes = {"kernel": (*self.kernel_size, self.input_shape[2] // self.groups, self.filters)}
        return {**shapes, "bias": (self.filters,)} if self.use_bias else shapes

    def algorithm_for(self, x: Array) -> Any:
        """What of `convolution/` computes this layer for x (N, H, W, C): a module, or `Grouped`."""
        if not self.plain:
            return Grouped(self.dilation_rate, self.groups)
        shape = (*self.kernel_size, x.shape[3], self.filters)
        return convolution.choose(self.algorithm, x, shape, self.strides, self.output_shape[:2])

    def arguments(self) -> tuple:
        """The arguments of an algorithm's `forward` after x: (kernel, strides, padding in pixels, bias or None)."""
        bias = self.parameters["bias"] if self.use_bias else None
        return self.parameters["kernel"], self.strides, self.pixels, bias

    def scores(self, x: Array, training: bool = False) -> Forward:
        """x * kernel + bias, the convolution."""
        self.check_input(x)
        algorithm = self.algorithm_for(x)
        scores = algorithm.forward(x, *self.arguments())
        return scores, (x if self.trainable else None, algorithm)

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dbias sums dscores over images and pixels; dkernel and dx are derived in the algorithm's file."""
        dbias = channel_sum(dscores) if self.trainable and self.use_bias else None
        return self.backward_convolution(dscores, dbias, kept, need_dx)

    def backward_convolution(
        self, dscores: Array, dbias: Array | None, kept: Sequence, need_dx: bool = True
    ) -> Backward:
        """As `backward_scores`, with dbias (K,) computed already."""
        x, algorithm = kept
        kernel, gradients = self.parameters["kernel"], {}
        if self.trainable:
            gradients["kernel"] = algorithm.backward_kernel(x, dscores, kernel.shape, self.strides, self.pixels)
            if self.use_bias:
                gradients["bias"] = dbias
        if not need_dx:
            return None, gradients
        input_shape = (len(dscores), *self.input_shape)
        return algorithm.backward_input(dscores, kernel, input_shape, self.strides, self.pixels), gradients

    def config(self) -> dict:
        names = ("filters", "kernel_size", "strides", "padding", "use_bias", "algorithm")
        config = {**{name: getattr(self, name) for name in names}, "activation": self.activation.name}
        config |= {"dilation_rate": self.dilation_rate} if self.dilation_rate != (1, 1) else {}
        config |= {"groups": self.groups} if self.groups > 1 else {}
        return {**super().config(), **config}

    def describe(self) -> str:
        kernel = "x".join(map(str, self.kernel_size))
        stride = "" if self.strides == (1, 1) else f" / {self.strides[0]}x{self.strides[1]}"
        padding = self.padding if isinstance(self.padding, str) else f"pad {self.padding}"
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        holes = "" if self.dilation_rate == (1, 1) else f", dilation {'x'.join(map(str, self.dilation_rate))}"
        return f"{self.filters} of {kernel}{stride}{groups}{holes}, {padding}, {self.activation.name}"

    def column_elements(self) -> int:
        KH, KW = self.kernel_size
        OH, OW, _ = self.output_shape
        return OH * OW * KH * KW * self.input_shape[2] // self.groups
