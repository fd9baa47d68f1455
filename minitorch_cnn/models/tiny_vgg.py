"""Tiny VGG, the network that CNN Explainer shows (Wang et al. 2020, arXiv:2004.15004)."""

from minitorch_cnn.datasets.preprocessing import Preprocessing, Unit
from minitorch_cnn.engine import layers
from minitorch_cnn.network.sequential import Sequential

FILTERS, SIZE, CLASSES = 10, 64, 10


def tiny_vgg(seed: int | None = 0, preprocessing: Preprocessing | None = None) -> Sequential:
    """64x64x3 -> twice (conv 3x3, 10 -> conv 3x3, 10 -> pool 2) -> 13x13x10 -> dense 10, softmax; no padding.

    uint8 images go through `preprocessing`, which by default divides them by 255, as CNN Explainer does.
    `cnn_explainer.export` writes a trained model to files that CNN Explainer can read.
    """
    stack: list[layers.Layer] = []
    for block in (1, 2):
        for number in (1, 2):
            stack.append(layers.Conv2D(FILTERS, 3, activation="relu", name=f"conv_{block}_{number}"))
        stack.append(layers.MaxPool2D(2, name=f"max_pool_{block}"))
    stack += [layers.Flatten(name="flatten"), layers.Dense(CLASSES, activation="softmax", name="output")]
    return Sequential(stack, (SIZE, SIZE, 3), seed=seed, preprocessing=preprocessing or Unit())
