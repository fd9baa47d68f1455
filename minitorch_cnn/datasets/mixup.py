"""Mixup: the network sees two images at once, and is asked for both labels in the same shares (Zhang et al. 2018).

    image = share image_i + (1 - share) image_j,    label = share label_i + (1 - share) label_j

Between two training images it so learns to change its answer gradually, which keeps it from being sure without reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.arguments import above_zero, whole
from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.datasets.affine import rounding
from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.datasets.weighted_labels import WeightedLabels
from minitorch_cnn.errors import ArgumentError


class Mixup:
    """An augmentation for `fit` that mixes every batch with itself in another order, after the one in `augment`.

    Arguments: the share of a batch is drawn from Beta(`alpha`, `alpha`): a small alpha leaves most batches nearly as
    they are, 1 makes all shares equally likely; `classes` is the number of classes if labels are class numbers (N,),
    and left out if they are numbers to mix, such as rows of probabilities, or zeros and ones for one sigmoid; `augment`
    transforms the images first. Raises ArgumentError for values out of range, and for examples with weights.
    """

    def __init__(self, alpha: float = 0.2, classes: int | None = None, augment: Augmentation | None = None) -> None:
        self.alpha = above_zero(alpha, "Mixup: alpha")
        self.classes = None if classes is None else whole(classes, "Mixup: classes", 2)
        self.augment = Augmentation() if augment is None else augment
        if not isinstance(self.augment, Augmentation):
            raise ArgumentError(f"Mixup: augment: expected an Augmentation, got {type(augment).__name__}")

    @property
    def alternate_flip(self) -> bool:
        """Whether `Batches` says which images are mirrored."""
        return self.augment.alternate_flip

    def __call__(self, images: Array, rng: np.random.Generator) -> Array:
        """The images (N, H, W, C) augmented, but not mixed: that needs their labels."""
        return self.augment(images, rng)

    def part(self, *arguments: Any, **options: Any) -> Array:
        """As `Augmentation.part`."""
        return self.augment.part(*arguments, **options)

    def mix(self, images: Array, labels: Any, rng: np.random.Generator) -> tuple[Array, np.ndarray]:
        """(images, labels) of a whole batch, each example mixed with another one of it; integers are rounded."""
        if isinstance(labels, WeightedLabels) or labels is None:
            raise ArgumentError("Mixup: expected labels without weights, which say how much a whole example counts")
        share, partner = float(rng.beta(self.alpha, self.alpha)), rng.permutation(len(images))
        wanted = np.asarray(labels)
        if self.classes is not None:
            if wanted.shape != (len(images),) or wanted.dtype.kind not in "iu" or wanted.max() >= self.classes:
                raise ArgumentError(f"Mixup: expected class numbers (N,) from 0 to {self.classes - 1} as labels")
            wanted = np.eye(self.classes, dtype=np.float32)[wanted]
        xp = namespace(images)
        wide = images.astype(np.float32, copy=False)
        mixed = np.float32(share) * wide + np.float32(1 - share) * wide[moved(partner, xp)]
        mixed = (mixed + rounding(images.dtype)).astype(images.dtype, copy=False)
        return mixed, share * wanted + (1 - share) * wanted[partner]

    def config(self) -> dict[str, Any]:
        """What decides the mixing, as plain values."""
        return {"alpha": self.alpha, "classes": self.classes, "augment": self.augment.config()}

    def __repr__(self) -> str:
        return f"Mixup(alpha={self.alpha!r}, classes={self.classes!r}, augment={self.augment!r})"
