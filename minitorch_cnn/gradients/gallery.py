"""Layers to check: one of every kind, layers of random kinds, options and shapes, and a network with branches.

The shapes are chosen so that they hide no mistake: images that are not square, strides with a remainder, pools that
overlap.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.convolution import algorithms
from minitorch_cnn.engine.values import Input
from minitorch_cnn.network.model import Model

Subject: TypeAlias = "tuple[Any, Any, bool]"  # a layer, its input (N, ...) or a list of them, whether it is training


def every_layer() -> list[Subject]:
    """(layer, input, training) for every kind of layer; the inputs have no ties and lie away from kinks."""
    image, row = (2, 7, 5, 3), (3, 6)
    cases = [
        (layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same"), image, False),
        (layers.Conv2D(2, 3, padding=((1, 0), (2, 1)), activation="relu", algorithm="naive"), image, False),
        (layers.Conv2D(4, 3, strides=2, activation="tanh", use_bias=False, algorithm="im2col"), image, False),
        (layers.Conv2D(3, 3, padding="same", activation="relu", algorithm="winograd"), image, False),
        (layers.MaxPool2D(3, strides=2), image, False),
        (layers.MaxPool2D((2, 3), strides=1, padding="same"), image, False),
        (layers.AveragePool2D(3, strides=2, padding="same"), image, False),
        (layers.GlobalAveragePool2D(), image, False),
        (layers.ZeroPad2D(((1, 2), (0, 3))), image, False),
        (layers.Flatten(), image, False),
        (layers.Dense(5, activation="sigmoid"), row, False),
        (layers.Dropout(0.4), image, True),
        (layers.BatchNorm(), image, True),
        (layers.BatchNorm(), image, False),
        (layers.BatchNorm(trainable=False), image, True),
        (layers.ReLU(), image, False),
        (layers.Sigmoid(), image, False),
        (layers.Tanh(), image, False),
        (layers.Softmax(), row, False),
        (layers.Conv2D(4, (2, 3), dilation_rate=(3, 1), activation="silu"), image, False),
        (layers.Conv2D(6, 3, strides=2, padding="same", groups=3), image, False),
        (layers.DepthwiseConv2D((3, 2), 2, "same", depth_multiplier=2, activation="gelu"), image, False),
        (layers.SeparableConv2D(4, (2, 3), depth_multiplier=2, activation="softplus"), image, False),
        (layers.Conv2DTranspose(2, (3, 2), strides=2, padding="same", activation="elu"), image, False),
        (layers.GlobalMaxPool2D(), image, False),
        (layers.UpSampling2D((2, 3)), image, False),
        (layers.UpSampling2D(2, "bilinear"), image, False),
        (layers.Resizing(4, 8), image, False),
        (layers.Cropping2D(((1, 2), (0, 3))), image, False),
        (layers.Reshape((5, -1)), image, False),
        (layers.Permute((3, 1, 2)), image, False),
        (layers.Rescaling(0.5, -1.0), image, False),
        (layers.Normalization(), image, False),
        (layers.LayerNorm(), image, False),
        (layers.LayerScale(0.5), image, False),
        (layers.PReLU((1, 2)), image, False),
        (layers.LeakyReLU(), image, False),
        (layers.ELU(0.5), image, False),
        (layers.ReLU(max_value=0.72, negative_slope=0.1), image, False),
        (layers.Activation("hard_silu"), row, False),
        (layers.Activation("gelu_tanh"), row, False),
        (layers.Dropout(0.4, noise_shape=(None, 1, 1, None)), image, True),
        (layers.Add(), (image, image, image), False),
        (layers.Subtract(), (image, (2, 1, 1, 3)), False),
        (layers.Multiply(), (image, (2, 7, 1, 1), (2, 1, 1, 3)), False),
        (layers.Average(), (row, row), False),
        (layers.Maximum(), (image, image, image), False),
        (layers.Concatenate(), (image, (2, 7, 5, 2)), False),
    ]
    return [(layer, _inputs(shape), training) for layer, shape, training in cases]


def networks() -> list[Subject]:
    """(model, input, training) for what no layer has alone: values that are read twice, a layer that stands twice."""
    x = Input((7, 5, 3))
    conv = layers.Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    y = conv(x)
    y = layers.Add(name="sum")([conv(y), y, x])
    outputs = [layers.Dense(4, name="top")(layers.GlobalAveragePool2D(name="means")(y)), y]
    return [(Model(x, outputs, seed=1), distinct((2, 7, 5, 3)), False)]


def _inputs(shape: tuple) -> Any:
    """An array of `shape`, or for several shapes a list of arrays, no two of whose numbers are equal."""
    if not isinstance(shape[0], tuple):
        return distinct(shape)
    sizes = [math.prod(each) for each in shape]
    parts = np.split(distinct((sum(sizes),)), np.cumsum(sizes)[:-1])
    return [part.reshape(each) for part, each in zip(parts, shape)]


def random_layer(seed: int) -> Subject:
    """(layer, input, training), where `seed` decides the kind of layer, its options and the input's shape."""
    rng = np.random.default_rng(seed)

    def size(low, high):
        return int(rng.integers(low, high + 1))

    def draw(*choices):
        return choices[int(rng.integers(len(choices)))]

    image = size(1, 3), size(3, 8), size(3, 8), size(1, 4)
    row = size(2, 5), size(2, 9)
    window, strides = (size(1, 3), size(1, 3)), (size(1, 3), size(1, 3))
    sides = tuple(tuple(int(side) for side in rng.integers(0, reach, 2)) for reach in window)  # below the window's size
    padding = draw("valid", "same", sides)
    activation = draw(None, "relu", "tanh", "sigmoid")
    use_bias = draw(True, False)
    newer = draw("elu", "selu", "gelu", "gelu_tanh", "silu", "hard_silu", "softplus", "softsign", "leaky_relu",
                 "exponential")  # fmt: skip
    kind = draw("conv", "conv", "conv", "max pool", "average pool", "dense", "batch norm", "dropout", "other",
                "grouped", "depthwise", "separable", "transposed", "newer")  # fmt: skip
    layer: Any
    if kind == "conv":
        algorithm = draw(*algorithms())
        layer = layers.Conv2D(size(1, 4), window, strides, padding, activation, use_bias, algorithm=algorithm)
    elif kind == "dense":
        layer = layers.Dense(size(1, 6), draw(activation, "softmax"), use_bias)
    elif kind == "other":
        layer = draw(layers.Flatten, layers.ReLU, layers.Sigmoid, layers.Tanh, layers.GlobalAveragePool2D)()
    elif kind == "newer":
        layer = draw(
            layers.GlobalMaxPool2D(draw(True, False)), layers.UpSampling2D(window, draw("nearest", "bilinear")),
            layers.Resizing(size(1, 9), size(1, 9), draw("nearest", "bilinear")), layers.LayerNorm(), layers.PReLU(),
            layers.Permute((2, 3, 1)), layers.Reshape((-1, image[3])), layers.Activation(newer), layers.LayerScale(2.0),
            layers.Cropping2D(((0, size(0, 2)), (size(0, 2), 0))),
        )  # fmt: skip
    elif kind in ("grouped", "depthwise", "separable", "transposed"):
        options: Any = {"activation": newer, "use_bias": use_bias, "dilation_rate": (size(1, 2), size(1, 2))}
        window, padding = (size(1, 2), size(1, 2)), draw("valid", "same")
        layer = {
            "grouped": layers.Conv2D(image[3] * size(1, 3), window, strides, padding, groups=image[3], **options),
            "depthwise": layers.DepthwiseConv2D(window, strides, padding, size(1, 3), **options),
            "separable": layers.SeparableConv2D(size(1, 4), window, strides, padding, **options),
            "transposed": layers.Conv2DTranspose(size(1, 4), window, strides, padding, **options),
        }[kind]
    else:
        layer = {
            "max pool": layers.MaxPool2D(window, strides, padding),
            "average pool": layers.AveragePool2D(window, strides, padding),
            "batch norm": layers.BatchNorm(),
            "dropout": layers.Dropout(draw(0.2, 0.5, 0.7)),
        }[kind]
    return layer, distinct(row if kind == "dense" else image, rng), draw(True, False)


def distinct(shape: Sequence[int], seed: int | np.random.Generator = 0) -> np.ndarray:
    """An array of `shape` whose numbers differ by far more than the check's step, and none of which is near 0.

    Their order is random: `seed` is a number, or the generator to draw it from.
    """
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(np.linspace(-1, 1, size) + 0.3 / size).reshape(shape)
