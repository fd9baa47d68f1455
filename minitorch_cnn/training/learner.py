"""Which part of a model sees the batches: all of it, or the layers above a frozen base whose output is cached.

A callback may unfreeze layers in the middle of a training. Then the cached features are no longer what the base puts
out, so they are given up: from the next batch on, the whole model sees the images themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minitorch_cnn.arrays import is_array, namespace
from minitorch_cnn.datasets.to_device import resident, sent_ahead
from minitorch_cnn.training import features


class Learner:
    """The part of a `Trainer` that chooses its `learner` and gives it the batches."""

    validation: Any

    def compute_features(self: Any) -> None:
        """Replace the images by the output of a frozen base, if there is one, and train only the layers above it."""
        if not features.worth_caching(self.model, self.batches.augment):
            return
        self.without_features = self.batches.images, self.validation, self.batches.transform, self.batches.workers

        def compute(images):
            return features.base_features(
                self.model, images, workers=self.batches.workers, progress=self.progress, ranks=self.ranks
            )

        self.batches.images = compute(self.batches.images)
        if self.validation is not None:
            self.validation = (compute(self.validation[0]), self.validation[1])
        depth = features.fixed_depth(self.model)
        self.base = [node.layer for node in self.model.nodes()[:depth]]
        self.learner = self.model.above(depth)
        self.batches.transform = self.learner.receive if self.model.backend == "numpy" else None

    def give_up_features(self: Any) -> bool:
        """Train the whole model from here on if a layer of the base was unfrozen; returns whether one was."""
        if not any(layer.learns for layer in self.base):
            return False
        self.batches.images, self.validation, self.batches.transform, self.batches.workers = self.without_features
        self.learner, self.base = self.model, []
        self.prepare_steps()
        return True

    def prepare_steps(self: Any) -> None:
        """Make ready what takes the next step, on the device where the model computes."""
        self.optimizer.prepare(self.model)
        if self.model.backend != "numpy":
            self._go_to_the_gpu()
        self.step = self._step_here()

    def batches_of_epoch(self: Any) -> Iterator:
        """The batches of the current epoch that are left."""
        batches = self.batches.epoch(self.first_epoch + self.epoch, self.batch)
        if self.model.backend == "numpy" or self.model.inputs > 1 or self._images_are_there():
            return batches
        return sent_ahead(batches, self.model.xp)

    def _go_to_the_gpu(self: Any) -> None:
        """Move the images to the GPU if they fit there."""
        if self.model.inputs == 1:
            self.batches.images = resident(self.batches.images, self.model.xp)
        if self._images_are_there():
            self.batches.workers = 0  # the GPU prepares the batches, so threads on the host would only wait

    def _images_are_there(self: Any) -> bool:
        """Whether the images lie in the memory of the device that trains."""
        images = self.batches.images
        return is_array(images) and namespace(images) is self.model.xp
