"""The inputs of a small fine-tuning: a network in place of VGG16, its weight file and a few photos."""

from pathlib import Path

import numpy as np
from minitorch_cnn.preprocessing import Caffe
from PIL import Image

from minitorch_cnn import Sequential, layers

SIZE = 11
OPTIONS = {"size": SIZE, "batch-size": 3, "top-epochs": 2, "all-epochs": 2, "top-rate": 0.01, "all-rate": 0.001,
           "unfreeze": "all"}  # fmt: skip


def base(input_shape, seed):
    stack = [layers.Conv2D(3, 3, activation="relu", name="block1_conv1"), layers.MaxPool2D(2, name="block5_pool")]
    return Sequential(stack, input_shape, seed=seed, preprocessing=Caffe())


def small_transfer_net(weights=None, input_shape=(SIZE, SIZE, 3), seed=0, classes=2):
    """A small replacement for `models.transfer_net`."""
    below = base(input_shape, seed)
    if weights is not None:
        below.load_weights(weights)
    top = [layers.Flatten(), layers.Dense(4, activation="relu"), layers.Dropout(0.3)]
    top.append(layers.Dense(1, "sigmoid") if classes == 2 else layers.Dense(classes, "softmax"))
    return below.extend(top).freeze(through="block5_pool")


def write_inputs(folder):
    """Write photos and a weight file to `folder`; return the command-line arguments for them."""
    folder, rng = Path(folder), np.random.default_rng(1)
    for part, count in (("train", 5), ("validation", 2)):
        for kind in ("cats", "dogs"):
            (folder / "photos" / part / kind).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (13, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "photos" / part / kind / f"{number}.png")
    base((SIZE, SIZE, 3), 5).save_weights(folder / "base.h5")
    options = {"weights": folder / "base.h5", "data": folder / "photos", **OPTIONS}
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
