"""Small networks with branches, for the tests."""

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import layers

SHAPE = (11, 9, 3)
X = np.random.default_rng(0).standard_normal((14, *SHAPE)).astype("float32")
LABELS = np.arange(14) % 4


def residual(seed=0, dtype="float32", dropout=0.0):
    """Two residual blocks, the second with a 1x1 convolution on its short way; batch norm and a pool between them."""
    x = mtc.Input(SHAPE)
    y = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    z = layers.Conv2D(6, 3, padding="same")(layers.BatchNorm()(y))
    y = layers.ReLU()(layers.Add()([y, z]))
    y = layers.MaxPool2D(2, padding="same")(y)
    z = layers.Conv2D(10, 3, padding="same", activation="relu")(y)
    y = layers.Add()([layers.Conv2D(10, 1, name="short")(y), z])
    y = layers.GlobalAveragePool2D()(y)
    if dropout:
        y = layers.Dropout(dropout)(y)
    return mtc.Model(x, layers.Dense(4, activation="softmax")(y), seed=seed, dtype=dtype)


def siamese(seed=0):
    """Two images through the same layers; what is made of them is compared."""
    first, second = mtc.Input(SHAPE), mtc.Input(SHAPE)
    conv, dense = layers.Conv2D(5, 3, activation="relu", name="eye"), layers.Dense(7, name="words")
    flat, pool = layers.Flatten(), layers.MaxPool2D(3)

    def seen(x):
        return dense(flat(pool(conv(x))))

    difference = layers.Subtract()([seen(first), seen(second)])
    return mtc.Model([first, second], layers.Dense(1, activation="sigmoid")(difference), seed=seed)


def two_answers(seed=0):
    """One image, two outputs: a class, and a number from a value that the class is computed from as well."""
    x = mtc.Input(SHAPE)
    y = layers.Conv2D(5, 3, activation="relu")(x)
    features = layers.GlobalAveragePool2D()(y)
    kind = layers.Dense(4, activation="softmax", name="kind")(features)
    size = layers.Dense(1, name="size")(layers.Concatenate()([features, kind]))
    return mtc.Model(x, [kind, size], seed=seed)
