"""One of every kind of layer, on shapes that hide nothing: not square, strides with a remainder, overlapping pools."""

import numpy as np

from minitorch_cnn import layers


def every_layer():
    """(layer, input, training) for each kind; inputs without ties and away from kinks."""
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


def distinct(shape, seed=0):
    """An array of `shape` whose numbers all differ by far more than the check's step and none of which is near 0."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(np.linspace(-1, 1, size) + 0.3 / size).reshape(shape)
