"""The trainings of the command line, made so small that a fuzzer can have hundreds of them. Nothing is downloaded."""

import contextlib
import dataclasses
import importlib
import unittest.mock as mock
from pathlib import Path

import numpy as np
from minitorch_cnn.preprocessing import Caffe
from PIL import Image

from minitorch_cnn import Sequential, datasets, layers
from minitorch_cnn.errors import DataError
from minitorch_cnn.models import recipes

EPOCHS, WIDEST = 2, 64


def small_data(data, progress):
    """Nine images, or those of a CIFAR-10 folder where one is named."""
    if data is not None:
        return datasets.cifar10(data, download=False)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (9, 6, 5, 3), dtype=np.uint8), np.arange(9) % 3
    return datasets.Dataset("small", images[:6], labels[:6], images[6:], labels[6:], ("a", "b", "c"))


def small_net(dataset, seed):
    classes = len(dataset.class_names)
    stack = [layers.Conv2D(2, 3, activation="relu"), layers.Flatten(), layers.Dense(classes, activation="softmax")]
    return Sequential(stack, dataset.train_images.shape[1:], seed=seed)


def small_transfer_net(weights=None, input_shape=(150, 150, 3), seed=0, classes=2):
    """As `models.transfer_net`, with a base of one convolution."""
    if max(input_shape) > WIDEST:
        raise DataError("not while fuzzing")
    base = Sequential(
        [layers.Conv2D(2, 3, activation="relu", name="block1_conv1"), layers.MaxPool2D(2, name="block5_pool")],
        input_shape, seed=seed, preprocessing=Caffe(),
    )  # fmt: skip
    if weights is not None:
        base.load_weights(weights, by_name=True)
    last = layers.Dense(1, "sigmoid") if classes == 2 else layers.Dense(classes, "softmax")
    model = base.extend([layers.Flatten(), last])
    return model.freeze(through="block5_pool")


def write_photos(folder):
    """Cats and dogs, three to train on and one to validate with, of each."""
    rng = np.random.default_rng(1)
    for part, count in (("train", 3), ("validation", 1)):
        for kind in ("cats", "dogs"):
            (Path(folder) / part / kind).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (11, 9, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(Path(folder) / part / kind / f"{number}.png")


@contextlib.contextmanager
def small_work():
    """Context in which every recipe and the fine-tuning are small, and what takes long by itself is left out."""
    names = (
        "exercises.runner", "gradients.check", "gradients.gallery", "models", "network.sequential",
        "models.weight_files",
    )  # fmt: skip
    runner, check, gallery, models, sequential, weights = (
        importlib.import_module(f"minitorch_cnn.{name}") for name in names
    )
    explain = importlib.import_module("minitorch_cnn.runs.explain")
    cats_vs_dogs = importlib.import_module("minitorch_cnn.datasets.cats_vs_dogs")
    fit = sequential.Sequential.fit

    def short(model, x, labels=None, **options):
        return fit(model, x, labels, **{**options, "epochs": min(options["epochs"], EPOCHS)})

    def not_here(*_, **__):
        raise DataError("not while fuzzing")

    small = {
        name: dataclasses.replace(recipe, load=small_data, model=small_net, augment={"flip": True})
        for name, recipe in recipes.RECIPES.items()
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(recipes.RECIPES, small))
        stack.enter_context(mock.patch.dict(explain.NETWORKS, clear=True))
        stack.enter_context(mock.patch.object(models, "transfer_net", small_transfer_net))
        stack.enter_context(mock.patch.object(sequential.Sequential, "fit", short))
        for module, name in ((models, "vgg16"), (models, "cats_vs_dogs"), (models, "cifar10"),
                             (models, "resnet50"), (models, "mobilenet_v2"), (models, "efficientnet_b0"),
                             (weights, "_fetch"), (cats_vs_dogs, "_cached"),
                             (check, "gradient_check"), (gallery, "every_layer"), (gallery, "random_layer"),
                             (runner, "run")):  # fmt: skip
            stack.enter_context(mock.patch.object(module, name, not_here))
        yield
