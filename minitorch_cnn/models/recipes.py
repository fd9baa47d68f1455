"""Recipes: the data, network and settings that `minitorch-cnn train NAME` uses; add an entry to add a recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import datasets, models
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.engine import losses, optimizers, schedules
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.network.sequential import Sequential


@dataclass(frozen=True)
class Recipe:
    """How one data set is trained on; everything but the functions can be changed on the command line."""

    title: str
    load: Callable[[str | Path | None, bool], Dataset]  # from the data folder and whether to show progress
    model: Callable[[Dataset, int], Sequential]  # from the data set and the seed
    epochs: int
    batch_size: int
    learning_rate: float  # the highest rate of the one-cycle schedule
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: dict[str, Any] = field(default_factory=dict)  # arguments of datasets.Augmentation
    label_smoothing: float = 0.0
    average_over: tuple[str, ...] = ()  # the views of a test image whose predictions are averaged

    @property
    def loss(self) -> losses.CrossEntropy | None:
        """The loss, or None for that of the network's last activation."""
        return losses.CrossEntropy(self.label_smoothing) if self.label_smoothing else None

    def about_losses(self, classes: int) -> list[str]:
        """A sentence about what the losses include, for those who compare them with others; [] if nothing unusual."""
        if not self.label_smoothing:
            return []
        rest = self.label_smoothing / classes
        labels = np.array([1 - self.label_smoothing + rest, *[rest] * (classes - 1)])
        lowest = -(labels * np.log(labels)).sum()
        return [
            f"The losses, val_loss too, include the label smoothing of {self.label_smoothing:g}: the lowest that is"
            f" possible is {lowest:.2f}, not 0."
        ]

    def optimizer(self, learning_rate: float, *ends: int) -> optimizers.SGD:
        """SGD with Nesterov momentum, whose learning rate rises and falls once up to each of the steps `ends`."""
        schedule = schedules.OneCycle(learning_rate, ends[0]) if len(ends) == 1 else Cycles(learning_rate, ends)
        return optimizers.SGD(schedule, momentum=self.momentum, nesterov=True, weight_decay=self.weight_decay)


class Cycles(schedules.Schedule):
    """One cycle after another, for a training that is continued: each rises to half the rate of the one before.

    Arguments: `maximum` of the first; `ends`, the numbers of steps, rising, after which the cycles end. A cycle is a
    `shape`, made from its maximum and its number of steps.
    """

    shape: Callable[[float, int], schedules.Schedule] = schedules.OneCycle

    def __init__(self, maximum: float, ends: Sequence[int]) -> None:
        self.maximum, self.ends = maximum, list(ends)

    def __call__(self, step: int) -> float:
        number = sum(step >= end for end in self.ends[:-1])
        first = self.ends[number - 1] if number else 0
        return type(self).shape(self.maximum * 0.5**number, self.ends[number] - first)(step - first)


def _digits(data, progress):
    if data is not None:
        raise ArgumentError(
            "train: the digits come with the package and take no --data; name a data set to use a folder"
        )
    return datasets.digits()


def _cifar10(data, progress):
    return datasets.cifar10(data, progress=progress)


def _cats_vs_dogs(data, progress):
    return datasets.cats_vs_dogs(data, 150, 150, progress=progress)


def _cats_net(dataset, seed):
    every = max(1, len(dataset.train_images) // 500)  # spread over all photos, which are sorted by class
    preprocessing = Standardize.of(dataset.train_images[::every])
    return models.cats_vs_dogs(dropout=True, seed=seed, preprocessing=preprocessing)


def _cifar_net(dataset, seed):
    preprocessing = Standardize.of(dataset.train_images)
    return models.cifar10(dropout=True, classes=len(dataset.class_names), seed=seed, preprocessing=preprocessing)


RECIPES = {
    "digits": Recipe(
        title="Handwritten digits",
        load=_digits,
        model=_cifar_net,
        epochs=12,
        batch_size=64,
        learning_rate=0.02,
        augment={"shift": 0.08, "rotate": 8.0, "zoom": 0.08},
    ),
    "cifar10": Recipe(
        title="CIFAR-10",
        load=_cifar10,
        model=_cifar_net,
        epochs=20,
        batch_size=128,
        learning_rate=0.03,
        augment={"flip": True, "shift": 0.1},
    ),
    "cats-vs-dogs": Recipe(
        title="Cats vs Dogs",
        load=_cats_vs_dogs,
        model=_cats_net,
        epochs=25,
        batch_size=32,
        learning_rate=0.02,
        augment={"flip": True, "shift": 0.1, "zoom": 0.1},
    ),
}

SMALL = 64  # pixels; larger images of your own get the network for photos
OWN_EPOCHS = 25


def of_folder(title: str, size: int, seed: int, flip: bool, color_mode: str = "rgb") -> Recipe:
    """The recipe for a folder of your own images, scaled to `size` x `size`.

    Up to 64 pixels it trains the network for CIFAR-10, for larger images that for Cats vs Dogs. `seed` chooses the
    images that are set aside for testing, if the folder does not say which; `flip` lets mirror images count as well;
    `color_mode` is "rgb" or "grayscale", for a network with one input channel.
    Its learning rate is for its batch size; other batches need one that is larger or smaller in proportion.
    """

    def load(data, progress):
        return datasets.image_folder(data, size, size, seed=seed, color_mode=color_mode)

    def model(dataset, seed):
        every = max(1, len(dataset.train_images) // 500)
        net = models.cifar10 if size <= SMALL else models.cats_vs_dogs
        preprocessing = Standardize.of(dataset.train_images[::every])
        shape, classes = dataset.train_images.shape[1:], len(dataset.class_names)
        try:
            return net(classes=classes, input_shape=shape, seed=seed, preprocessing=preprocessing)
        except ShapeError as error:
            raise ShapeError(f"--size: {size} is too small for this network ({error})") from None

    augment = {"flip": flip, "shift": 0.1, "zoom": 0.1}
    return Recipe(title, load, model, epochs=OWN_EPOCHS, batch_size=64, learning_rate=0.02, augment=augment)
