"""A Conv2D or DepthwiseConv2D, the BatchNorm after it, and perhaps a ReLU or ReLU6, run as one.

With moving averages, in a prediction or where the BatchNorm is frozen, normalising is a product and a sum for each
filter, and the convolution does both with its sums in registers:

    gamma (conv(x) + bias - mean) / sqrt(variance + epsilon) + beta = scale conv(x) + start

    scale = gamma / sqrt(variance + epsilon),    start = beta + scale (bias - mean)

With the statistics of the batch, which are known only when the convolution is finished, the layers run one after the
other. The backward pass through the BatchNorm then sums up the gradient of the convolution's bias as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import Guard
from minitorch_cnn.engine.activations import Linear
from minitorch_cnn.engine.convolution import depthwise, row_windows, winograd
from minitorch_cnn.engine.convolution.depthwise import Depthwise
from minitorch_cnn.engine.layers.batch_norm import BatchNorm
from minitorch_cnn.engine.layers.depthwise_conv2d import DepthwiseConv2D
from minitorch_cnn.engine.layers.layer import Backward, Forward
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.twins.stages.conv_relu import CONV
from minitorch_cnn.twins.stages.norm_relu import NORM, limits, norm_backward, norm_forward
from minitorch_cnn.twins.stages.padded_conv import PaddedConv, is_linear
from minitorch_cnn.twins.stages.stage import RELU, Stage, ceiling_of, fast_version, limited_backward, tried, untouched

LINEAR: tuple = ((Linear, "forward"), (Linear, "backward"))
DEPTHWISE: tuple = (*((DepthwiseConv2D, name) for _, name in (*CONV, (None, "algorithm_for"))), (Depthwise, "forward"))
GUARD = Guard("twins/stages/conv_norm.py: ConvNorm", *CONV, *DEPTHWISE, *LINEAR, *NORM, *RELU)
FOLDED = 4  # arrays and the like that a pass keeps whose BatchNorm was part of the convolution
SCALING = (row_windows, winograd)  # the algorithms whose compiled twins can also scale
LIMITING = (row_windows,)  # and those that know a ceiling


class ConvNorm(Stage):
    """The passes of `conv`, a convolution without activation, the BatchNorm `norm`, and, with a `ceiling`, a ReLU.

    Both layers have parameters, so each has to stand at one place of the network only.
    """

    def __init__(self, conv: Any, norm: Any, ceiling: float | None = None) -> None:
        super().__init__(conv)
        self.layers = [getattr(conv, "owner", conv), norm]
        self.conv, self.norm, self.ceiling = conv, norm, ceiling

    @classmethod
    def of(cls, before: Any, layer: Any) -> ConvNorm | None:
        """The stage of a Conv2D and a BatchNorm, or of such a stage and a ReLU; None where they are not a pair.

        Nor where their methods are not those that this stage was made for.
        """
        if type(before) is ConvNorm:
            ceiling = ceiling_of(layer)
            return cls(before.conv, before.norm, ceiling) if before.ceiling is None and ceiling is not None else None
        conv = type(before) is PaddedConv or is_linear(before)
        both = conv and type(layer) is BatchNorm and untouched(layer)
        return cls(before, layer) if both and GUARD.holds() else None

    @property
    def learns(self) -> bool:
        """Whether one of the two layers learns."""
        return self.conv.learns or self.norm.learns

    def take_gradients(self, gradients: dict[str, Array], add: bool = False) -> None:
        """Give each layer its own gradients."""
        for layer in (self.conv, self.norm):
            names = gradients.keys() & layer.parameter_shapes().keys()
            layer.take_gradients({name: gradients[name] for name in names}, add)

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """(y, kept) of the layers, up to rounding where the BatchNorm is part of the convolution."""
        self.conv.check_input(x)
        if not (training and self.norm.trainable):
            y, scale = self.folded(x)
            if y is not None:
                keeps = self.conv.trainable or self.norm.trainable
                return y, (x if keeps else None, self.conv.algorithm_for(x), None if self.ceiling is None else y, scale)
        return self.one_by_one(x, training)

    def folded(self, x: Array) -> tuple[Array | None, Any]:
        """(y, scale) with the moving averages; y is None where no twin can do it."""
        algorithm = self.conv.algorithm_for(x)
        scaling = LIMITING if self.ceiling not in (None, math.inf) else SCALING
        if not (algorithm in scaling or type(algorithm) is Depthwise) or type(x).__module__ != "numpy":
            return None, None
        kernel, strides, pixels, bias = self.conv.arguments()
        mean, inverse, _ = self.norm.statistics_of(x, False)
        scale, start = self.norm.scale_and_shift(inverse)
        start = start + scale * (-mean if bias is None else bias - mean)
        options = {"scale": scale, **limits(self.ceiling)}
        if type(algorithm) is Depthwise:
            fast = fast_version(depthwise.forward, x)
            return tried(fast, x, kernel, strides, pixels, algorithm.dilation, start, **options), scale
        return tried(fast_version(algorithm.forward, x), x, kernel, strides, pixels, start, **options), scale

    def one_by_one(self, x: Array, training: bool) -> Forward:
        """(y, kept) of the convolution, and then of the BatchNorm."""
        scores, kept = self.conv.scores(x, training)
        y, kept_after = norm_forward(self.norm, scores, training, self.ceiling)
        return y, (kept, kept_after)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) of the layers, up to rounding."""
        if len(kept) == FOLDED:
            return self.backward_folded(dy, kept, need_dx)
        kept, kept_after = kept
        need_scores = need_dx or self.conv.trainable
        dscores, dbias, gradients = norm_backward(self.norm, dy, kept_after, need_scores, self.ceiling)
        if dscores is None:
            return None, gradients
        dx, others = self.backward_convolution(dscores, dbias, kept, need_dx)
        return dx, {**others, **gradients}

    def backward_folded(self, dy: Array, kept: Sequence, need_dx: bool) -> Backward:
        """After a folded forward pass: a frozen BatchNorm scales dy. One that learns needs what it had to read."""
        x, algorithm, y, scale = kept
        if self.norm.trainable:
            return self.backward_pass(dy, self.one_by_one(x, False)[1], need_dx)
        dscores = limited_backward(dy, y, self.ceiling) * scale
        return self.backward_convolution(dscores, None, (x, algorithm), need_dx)

    def backward_convolution(self, dscores: Array, dbias: Array | None, kept: Sequence, need_dx: bool) -> Backward:
        """(dx, gradients) of the convolution; where `dbias` is None, it is summed up here."""
        if dbias is None and self.conv.trainable and self.conv.use_bias:
            dbias = channel_sum(dscores)
        return self.conv.backward_convolution(dscores, dbias, kept, need_dx)
