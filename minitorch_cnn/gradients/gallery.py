"""Layers to check: one of every kind, and layers of random kinds, options and shapes.

The shapes are chosen so that they hide no mistake: images that are not square, strides with a remainder, pools that
overlap.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.convolution import algorithms

Subject: TypeAlias = "tuple[Any, np.ndarray, bool]"  # a layer, its input (N, ...), and whether it is training


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
        (layers.ReLU(), image, False),
        (layers.Sigmoid(), image, False),
        (layers.Tanh(), image, False),
        (layers.Softmax(), row, False),
    ]
    return [(layer, distinct(shape), training) for layer, shape, training in cases]


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
    kind = draw("conv", "conv", "conv", "max pool", "average pool", "dense", "batch norm", "dropout", "other")
    layer: Any
    if kind == "conv":
        algorithm = draw(*algorithms())
        layer = layers.Conv2D(size(1, 4), window, strides, padding, activation, use_bias, algorithm=algorithm)
    elif kind == "dense":
        layer = layers.Dense(size(1, 6), draw(activation, "softmax"), use_bias)
    elif kind == "other":
        layer = draw(layers.Flatten, layers.ReLU, layers.Sigmoid, layers.Tanh, layers.GlobalAveragePool2D)()
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
