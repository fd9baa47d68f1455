"""Residual networks for CIFAR-10 (He et al. 2015, "Deep Residual Learning for Image Recognition", section 4.2).

A block computes a change F and adds it to its input, y = x + F(x). In the backward pass dL/dx = dL/dy + F'(x) dL/dy:
the first term is there whatever the block has learned, so the gradient reaches the lowest block of a hundred undamped.

    x --+-- conv 3x3 -- norm -- relu -- conv 3x3 -- norm --+-- relu --> y
        +--------------------------------------------------+
"""

from minitorch_cnn.datasets.preprocessing import Preprocessing
from minitorch_cnn.engine import layers
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.model import Model

FILTERS = (16, 32, 64)  # of the three stages; the second and the third begin by halving rows and columns


def resnet_cifar(
    depth: int = 20, classes: int = 10, residual: bool = True, seed: int | None = 0,
    preprocessing: Preprocessing | None = None, input_shape: tuple[int, int, int] = (32, 32, 3),
) -> Model:  # fmt: skip
    """32x32x3 -> convolution of 16 -> three stages of blocks with 16, 32 and 64 filters -> mean -> dense, softmax.

    `depth` counts the convolutions and the dense layer: 20, 32, 44, 56, ..., that is 6 for each block of a stage and 2.
    With residual=False the sums are left out: the "plain" network of the paper, which is harder to train the deeper it
    is. Where a stage changes the shape, the input is brought to it by a 1x1 convolution. Raises ArgumentError for
    another depth.
    """
    if not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        raise ArgumentError(f"resnet_cifar: depth: expected 8, 14, 20, 26, ... (6 n + 2), got {depth!r}")
    x = Input(input_shape)
    y = layers.ReLU()(normalized(layers.Conv2D(FILTERS[0], 3, padding="same", use_bias=False)(x)))
    for stage, filters in enumerate(FILTERS):
        for number in range((depth - 2) // 6):
            y = block(y, filters, strides=2 if stage and not number else 1, residual=residual)
    y = layers.GlobalAveragePool2D()(y)
    return Model(x, layers.Dense(classes, activation="softmax")(y), seed=seed, preprocessing=preprocessing)


def resnet20(classes: int = 10, seed: int | None = 0, preprocessing: Preprocessing | None = None) -> Model:
    """The network of 20 layers; see `resnet_cifar`."""
    return resnet_cifar(20, classes, seed=seed, preprocessing=preprocessing)


def block(x: Value, filters: int, strides: int, residual: bool = True) -> Value:
    """relu(x + F(x)), where F is two convolutions; without `residual`, relu(F(x))."""
    y = normalized(layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x))
    y = normalized(layers.Conv2D(filters, 3, padding="same", use_bias=False)(layers.ReLU()(y)))
    if residual:
        if y.shape != x.shape:
            x = normalized(layers.Conv2D(filters, 1, strides, "same", use_bias=False)(x))
        y = layers.Add()([x, y])
    return layers.ReLU()(y)


def normalized(x: Value) -> Value:
    """Batch norm, whose beta takes the place of the convolution's bias."""
    return layers.BatchNorm(momentum=0.9, epsilon=1e-5)(x)
