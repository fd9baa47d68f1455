"""Small networks for the tests of surgery and fine-tuning, and what these tests look at."""

import numpy as np

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses

X = np.random.default_rng(1).standard_normal((6, 8, 8, 2)).astype("float32")
LABELS = np.array([0, 2, 1, 1, 0, 2])
LOSS = losses.CrossEntropy()


def small_net(seed=3, dtype="float32", preprocessing=None):
    """Two blocks and a top, a BatchNorm and a Dropout among them; some layers named, some not."""
    stack = [
        layers.Conv2D(3, 3, padding="same", activation="relu", name="block1_conv1"),
        layers.BatchNorm(momentum=0.5, name="block1_norm"),
        layers.MaxPool2D(2, name="block1_pool"),
        layers.Conv2D(4, 3, padding="same", activation="relu", name="block2_conv1"),
        layers.MaxPool2D(2, name="block2_pool"),
        layers.Flatten(),
        layers.Dense(5, "tanh"),
        layers.Dropout(0.25),
        layers.Dense(3, "softmax"),
    ]
    return mtc.Sequential(stack, (8, 8, 2), seed=seed, dtype=dtype, preprocessing=preprocessing)


def top():
    """New layers for on top of block2_pool."""
    return [layers.Flatten(), layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax")]


def names(model):
    return [layer.name for layer in model.layers]


def weights(model):
    """The bytes of every parameter by (layer, name)."""
    return {(layer.name, name): array.tobytes() for layer in model.layers for name, array in layer.parameters.items()}
