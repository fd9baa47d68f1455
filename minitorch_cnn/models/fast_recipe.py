"""Recipes beside the usual one of a data set: `minitorch-cnn train cifar10 --recipe fast`.

The slides' network stays the default; these two train `cifar10_fast` with the settings of the published speed runs
(`docs/tricks.md` has each of them as a measured step).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.engine import optimizers, schedules
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.models.cifar10_fast import cifar10_fast
from minitorch_cnn.models.recipes import RECIPES, Cycles, Recipe
from minitorch_cnn.network.sequential import Sequential

OTHERS = 50 / 3  # what the rate of a kernel is multiplied by for parameters that take a step of SGD
BETA_FACTOR = 64.0  # the shifts of the batch norms learn so much faster still


class Triangles(Cycles):
    """Cycles that are straight lines up and down."""

    shape = schedules.Triangle


@dataclass(frozen=True)
class FastRecipe(Recipe):
    """A recipe with Muon on a triangular rate, in which the shifts of batch norms learn fast and without decay."""

    def optimizer(self, learning_rate: float, *ends: int) -> optimizers.Muon:
        """Muon, whose rate goes up and down in straight lines up to each of the steps `ends`."""
        single = len(ends) == 1
        return optimizers.Muon(
            schedules.Triangle(learning_rate, ends[0]) if single else Triangles(learning_rate, ends),
            momentum=self.momentum, weight_decay=self.weight_decay,
            multipliers={"dense": OTHERS, "beta": OTHERS * BETA_FACTOR}, exclude_from_weight_decay=["dense", "beta"],
        )  # fmt: skip


def net(widths: tuple[int, ...]) -> Callable[[Dataset, int], Sequential]:
    """The function (data set, seed) -> `cifar10_fast` of these widths, whitened by the training images."""

    def model(dataset, seed):
        images = dataset.train_images
        preprocessing, classes = Standardize.of(images), len(dataset.class_names)
        return cifar10_fast(
            widths, classes, seed, preprocessing=preprocessing, input_shape=images.shape[1:], images=images
        )

    return model


FAST = FastRecipe(
    title="CIFAR-10, fast",
    load=RECIPES["cifar10"].load,
    model=net((64, 128, 128)),
    epochs=15,
    batch_size=512,
    learning_rate=0.12,
    momentum=0.6,
    weight_decay=0.1,
    augment={"alternate_flip": True, "shift": 1 / 16, "fill": "reflect"},
    label_smoothing=0.2,
    average_over=("flip", "shift"),
)
LONG = replace(FAST, title="CIFAR-10, long", model=net((64, 256, 256)))
VARIANTS: dict[str, dict[str, Recipe]] = {"cifar10": {"fast": FAST, "long": LONG}}


def recipe_named(dataset: str, recipe: str = "") -> Recipe:
    """The recipe of that name for one of RECIPES; "" is the usual one. ArgumentError for any other name."""
    if not recipe:
        return RECIPES[dataset]
    known = VARIANTS.get(dataset, {})
    if recipe not in known:
        expected = f"one of {', '.join(known)}" if known else f"none, as {dataset} has only one recipe"
        raise ArgumentError(f"recipe: expected {expected}, got {recipe[:40]!r}")
    return known[recipe]
