"""EfficientNetB0 (Tan and Le 2019, arXiv:1905.11946), with Keras's layer names.

It is MobileNetV2's inverted residual block with "squeeze and excitation" (Hu et al. 2018): the mean of each channel
decides, through two small layers, by which factor from 0 to 1 that channel is multiplied.

    widened --+-- mean of each channel -- 1x1, C/4 -- 1x1 -- sigmoid --+-- times --> narrowed
              +--------------------------------------------------------+
"""

import math
from pathlib import Path

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.models.published import check_arguments, ending, with_weights
from minitorch_cnn.network.model import Model

# (kernel size, blocks, filters, widened by, strides of the first block) of each stage
STAGES = (
    (3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1), (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)  # fmt: skip
SQUEEZED = 4  # a block's channels before it was widened, over those of the small layers
DROPPED = 0.2  # the rate at which the last block is left out for an image in training; lower ones less
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels


def efficientnet_b0(
    include_top: bool = True, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000,
    seed: int | None = 0, weights: str | Path | None = None, pooling: str | None = None,
) -> Model:  # fmt: skip
    """224x224x3 -> convolution of 32 -> 16 blocks -> 7x7x1280 -> mean -> softmax, with 5.3 million parameters.

    Arguments as for `resnet50`; without the top the network ends at `top_activation`. It takes pixels from 0 to 255,
    whole numbers or not: its first layers are the preprocessing.

    Raises ShapeError for another input shape, ArgumentError when arguments contradict each other, and WeightsError when
    the weights do not fit.
    """
    check_arguments("efficientnet_b0", include_top, input_shape, classes, weights, pooling, channels=3)
    x = Input(input_shape)
    y = layers.Normalization(name="normalization")(layers.Rescaling(1 / 255, name="rescaling")(x))
    # Keras's weights were trained with deviations where the code expected variances; this makes up for it.
    y = layers.Rescaling([1 / math.sqrt(each) for each in DEVIATION], name="rescaling_1")(y)
    y = layers.ZeroPad2D(around(y, 3), name="stem_conv_pad")(y)
    y = layers.Conv2D(32, 3, 2, use_bias=False, name="stem_conv")(y)
    y = activated(y, "stem")
    total, done = sum(blocks for _, blocks, *_ in STAGES), 0
    for stage, (size, blocks, filters, widened, strides) in enumerate(STAGES, 1):
        for place in range(blocks):
            name = f"block{stage}{chr(ord('a') + place)}"
            y = block(y, filters, size, 1 if place else strides, widened, name, DROPPED * done / total)
            done += 1
    y = activated(layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(y), "top")
    y = ending(y, include_top, classes, pooling, dropout=layers.Dropout(0.2, name="top_dropout"))
    model = Model(x, y, seed=seed)
    model.get_layer("normalization").load({"mean": MEAN, "variance": [each**2 for each in DEVIATION]})
    return with_weights(model, weights)


def block(x: Value, filters: int, size: int, strides: int, widened: int, name: str, dropped: float) -> Value:
    """An inverted residual block with squeeze and excitation."""
    y, inside = x, widened * x.shape[2]
    if widened > 1:
        y = activated(layers.Conv2D(inside, 1, use_bias=False, name=f"{name}_expand_conv")(y), f"{name}_expand")
    if strides == 2:
        y = layers.ZeroPad2D(around(y, size), name=f"{name}_dwconv_pad")(y)
    padding = "valid" if strides == 2 else "same"
    y = layers.DepthwiseConv2D(size, strides, padding, use_bias=False, name=f"{name}_dwconv")(y)
    y = activated(y, name)
    factors = layers.GlobalAveragePool2D(name=f"{name}_se_squeeze")(y)
    factors = layers.Reshape((1, 1, inside), name=f"{name}_se_reshape")(factors)
    small = max(1, x.shape[2] // SQUEEZED)
    factors = layers.Conv2D(small, 1, activation="silu", name=f"{name}_se_reduce")(factors)
    factors = layers.Conv2D(inside, 1, activation="sigmoid", name=f"{name}_se_expand")(factors)
    y = layers.Multiply(name=f"{name}_se_excite")([y, factors])
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(y)
    y = layers.BatchNorm(name=f"{name}_project_bn")(y)
    if y.shape != x.shape:
        return y
    if dropped:
        y = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return layers.Add(name=f"{name}_add")([y, x])


def activated(x: Value, name: str) -> Value:
    """Batch norm and silu."""
    return layers.Activation("silu", name=f"{name}_activation")(layers.BatchNorm(name=f"{name}_bn")(x))


def around(x: Value, size: int) -> tuple:
    """Padding for a convolution at stride 2: Keras's, whose first window begins before the image by half the kernel."""
    before = [size // 2 - (1 - length % 2) for length in x.shape[:2]]
    return (before[0], size // 2), (before[1], size // 2)
