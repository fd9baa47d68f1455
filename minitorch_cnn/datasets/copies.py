"""Copies of images, each changed a little differently, that stay the same in every epoch.

Augmentation as it is usually done makes new copies in every epoch, so the network below has to see every one of them.
A frozen base computes the same thing for the same copy, though: a fixed number of copies lets it be asked once for
each, and the layers above learn from its stored answers (`training/features.py`).

    copies = Copies(photos, [None, "mirror", Augmentation(rotate=15)])    three copies of each photo
    model.fit(copies, copies.labels(labels), epochs=4)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arguments import shown, whole
from minitorch_cnn.datasets.augmentation import Augmentation
from minitorch_cnn.errors import ArgumentError

MIRROR = "mirror"


class Copies:
    """C copies of N images as a sequence of C N images: first the first copy of each, then the second, and so on.

    Arguments: `images` an array (N, H, W, C) or a sequence that loads them, such as an ImageFolder; `changes` for each
    copy an Augmentation, "mirror" for one that is always mirrored, or None for the image itself; `seed` of the random
    numbers. Copy c of image i depends on (seed, c, i) alone. An image is loaded and changed when it is asked for.
    Raises ArgumentError without changes, or for a change of another kind.
    """

    def __init__(self, images: Any, changes: Sequence[Augmentation | str | None], seed: int = 0) -> None:
        self.images, self.changes, self.seed = images, list(changes), whole(seed, "Copies: seed", 0)
        if not self.changes:
            raise ArgumentError("Copies: changes: expected at least one, got none")
        for change in self.changes:
            if not (change is None or change == MIRROR or isinstance(change, Augmentation)):
                expected = f"an Augmentation, {MIRROR!r} or None"
                raise ArgumentError(f"Copies: changes: expected {expected}, got {shown(change)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """(C N, H, W, channels)."""
        return (len(self), *self.images.shape[1:])

    def __len__(self) -> int:
        return len(self.changes) * len(self.images)

    def __getitem__(self, indices: Any) -> np.ndarray:
        """The copies; `indices` (integers, a slice, a mask) as for the first axis of an array."""
        chosen = np.arange(len(self))[indices]
        if chosen.ndim == 0:
            return self[chosen[None]][0]
        numbers, rows = np.divmod(chosen, max(1, len(self.images)))
        images = np.array(self.images[rows])
        for place, (number, row) in enumerate(zip(numbers.tolist(), rows.tolist())):
            change = self.changes[number]
            if change == MIRROR:
                images[place] = images[place, :, ::-1].copy()
            elif change:
                rng = np.random.default_rng([self.seed, number, row])
                images[place : place + 1] = change(images[place : place + 1], rng)
        return images

    def labels(self, labels: Any) -> np.ndarray:
        """The labels (C N, ...) of the copies, from those of the images (N, ...); ArgumentError for another number."""
        labels = np.asarray(labels)
        if len(labels) != len(self.images):
            raise ArgumentError(f"Copies: expected a label for each of {len(self.images)} images, got {len(labels)}")
        return np.concatenate([labels] * len(self.changes))
