"""ResNet50 (He et al. 2015, arXiv:1512.03385), with Keras's layer names.

A bottleneck block does its 3x3 convolution on a quarter of the channels, between two 1x1 convolutions:

    x --+-- 1x1, f -- 3x3, f -- 1x1, 4f --+-- relu --> y
        +---------- (1x1, 4f) ------------+          (the first block of a stage changes the shape of x as well)
"""

from pathlib import Path

from minitorch_cnn.datasets.preprocessing import Caffe
from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.models.published import check_arguments, ending, with_weights
from minitorch_cnn.models.resnet50_names import load
from minitorch_cnn.network.model import Model

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # (filters of the 3x3 convolutions, blocks)
EPSILON = 1.001e-5


def resnet50(
    include_top: bool = True, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000,
    seed: int | None = 0, weights: str | Path | None = None, pooling: str | None = None,
) -> Model:  # fmt: skip
    """224x224x3 -> 7x7 convolution, pool -> 16 blocks in four stages -> 7x7x2048 -> mean -> softmax.

    Arguments as for `vgg16`; without the top the network ends at `conv5_block3_out`, or with `pooling` "avg" or "max"
    at the mean or the maximum of each channel. Keras's published weights (`weight_files.fetch("resnet50", top=...)`)
    fit images of any size. Colour images of uint8 go through the preprocessing that the network was trained with: RGB
    to BGR, minus ImageNet's mean.

    Raises ShapeError for another input shape, ArgumentError when arguments contradict each other, and WeightsError when
    the weights do not fit.
    """
    check_arguments("resnet50", include_top, input_shape, classes, weights, pooling)
    x = Input(input_shape)
    y = layers.ZeroPad2D(3, name="conv1_pad")(x)
    y = convolution(y, 64, 7, 2, "conv1")
    y = layers.ReLU(name="conv1_relu")(y)
    y = layers.MaxPool2D(3, 2, name="pool1_pool")(layers.ZeroPad2D(1, name="pool1_pad")(y))
    for stage, (filters, blocks) in enumerate(STAGES, 2):
        for number in range(1, blocks + 1):
            strides = 2 if number == 1 and stage > 2 else 1
            y = block(y, filters, strides, f"conv{stage}_block{number}", changes_shape=number == 1)
    y = ending(y, include_top, classes, pooling)
    model = Model(x, y, seed=seed, preprocessing=Caffe() if input_shape[2] == 3 else None)
    return with_weights(model, weights, load)


def block(x: Value, filters: int, strides: int, name: str, changes_shape: bool) -> Value:
    """A bottleneck block; with `changes_shape` a 1x1 convolution brings x to the shape of what is added to it."""
    if changes_shape:
        short = convolution(x, 4 * filters, 1, strides, f"{name}_0")
    else:
        short = x
    y = layers.ReLU(name=f"{name}_1_relu")(convolution(x, filters, 1, strides, f"{name}_1"))
    y = layers.ReLU(name=f"{name}_2_relu")(convolution(y, filters, 3, 1, f"{name}_2", "same"))
    y = convolution(y, 4 * filters, 1, 1, f"{name}_3")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([short, y]))


def convolution(x: Value, filters: int, size: int, strides: int, name: str, padding: str = "valid") -> Value:
    """A convolution and its batch norm."""
    y = layers.Conv2D(filters, size, strides, padding, name=f"{name}_conv")(x)
    return layers.BatchNorm(epsilon=EPSILON, name=f"{name}_bn")(y)
