"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), with Keras's layer names.

An inverted residual block widens its input by a factor of six, filters each channel by itself with a 3x3 kernel
(depthwise), and narrows the result again. The sum joins the narrow ends, which are small to keep and to move:

    x --+-- 1x1, 6C -- depthwise 3x3, 6C -- 1x1, C --+--> y
        +--------------------------------------------+     (where C and the size stay)
"""

from pathlib import Path

from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.models.published import check_arguments, ending, with_weights
from minitorch_cnn.network.model import Model

# (filters, strides of the first block, blocks) of each stage after the first block
STAGES = ((24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))
WIDENED = 6


def mobilenet_v2(
    include_top: bool = True, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000,
    seed: int | None = 0, weights: str | Path | None = None, pooling: str | None = None,
) -> Model:  # fmt: skip
    """224x224x3 -> convolution of 32 -> 17 blocks -> 7x7x1280 -> mean -> softmax, with 3.5 million parameters.

    Arguments as for `resnet50`; without the top the network ends at `out_relu`. Images of uint8 go through the
    preprocessing that the network was trained with: pixels from -1 to 1.

    Raises ShapeError for another input shape, ArgumentError when arguments contradict each other, and WeightsError when
    the weights do not fit.
    """
    check_arguments("mobilenet_v2", include_top, input_shape, classes, weights, pooling)
    x = Input(input_shape)
    y = layers.Conv2D(32, 3, 2, "same", use_bias=False, name="Conv1")(x)
    y = layers.ReLU(max_value=6, name="Conv1_relu")(normalized(y, "bn_Conv1"))
    y = block(y, 16, 1, "expanded_conv", widened=1)
    number = 0
    for filters, strides, blocks in STAGES:
        for place in range(blocks):
            number += 1
            y = block(y, filters, 1 if place else strides, f"block_{number}")
    y = normalized(layers.Conv2D(1280, 1, use_bias=False, name="Conv_1")(y), "Conv_1_bn")
    y = layers.ReLU(max_value=6, name="out_relu")(y)
    y = ending(y, include_top, classes, pooling, "global_average_pooling2d")
    model = Model(x, y, seed=seed, preprocessing=Standardize(*[[127.5] * input_shape[2]] * 2))
    return with_weights(model, weights)


def block(x: Value, filters: int, strides: int, name: str, widened: int = WIDENED) -> Value:
    """An inverted residual block; the sum is left out where it changes the shape of x."""
    y = x
    if widened > 1:
        y = layers.Conv2D(widened * x.shape[2], 1, use_bias=False, name=f"{name}_expand")(y)
        y = layers.ReLU(max_value=6, name=f"{name}_expand_relu")(normalized(y, f"{name}_expand_BN"))
    if strides == 2:
        # Keras pads by hand, so that the first window begins at pixel -1 for odd sizes and at pixel 0 for even ones.
        top, left = (size % 2 for size in y.shape[:2])
        y = layers.ZeroPad2D(((top, 1), (left, 1)), name=f"{name}_pad")(y)
    padding = "valid" if strides == 2 else "same"
    y = layers.DepthwiseConv2D(3, strides, padding, use_bias=False, name=f"{name}_depthwise")(y)
    y = layers.ReLU(max_value=6, name=f"{name}_depthwise_relu")(normalized(y, f"{name}_depthwise_BN"))
    y = normalized(layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(y), f"{name}_project_BN")
    return layers.Add(name=f"{name}_add")([x, y]) if y.shape == x.shape else y


def normalized(x: Value, name: str) -> Value:
    """Batch norm, whose beta takes the place of the convolution's bias."""
    return layers.BatchNorm(momentum=0.999, epsilon=1e-3, name=name)(x)
