"""A data set: images to learn from, images to be tested on, and what their labels mean."""

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, already split into a part to train on and a part to test on.

    name                       what the reports call it
    train_images, test_images  (N, H, W, C) uint8, red-green-blue; an array, or a sequence that decodes its images
                               when they are asked for (`ImageFolder`): it has `shape`, `dtype`, `len()` and
                               `images[indices]`
    train_labels, test_labels  (N,) int64, each an index into `class_names`
    class_names                a tuple of strings
    skipped                    the paths of the files that were no images, as strings; an ImageFolder adds those whose
                               damage shows later, when they are decoded

    Raises ArgumentError where these do not fit together.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple
    skipped: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "class_names", tuple(self.class_names))
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            self._check_images(f"{part}_images", images)
            self._check_labels(f"{part}_labels", labels, len(images))
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise ArgumentError(
                f"{self.name}: test_images: expected images of {self.train_images.shape[1:]} like the training images, "
                f"got {self.test_images.shape[1:]}"
            )

    def _check_images(self, what, images):
        shape, dtype = getattr(images, "shape", None), getattr(images, "dtype", None)
        if dtype != np.uint8 or len(shape) != 4:
            raise ArgumentError(
                f"{self.name}: {what}: expected uint8 images (N, H, W, C), got {dtype or type(images).__name__} {shape}"
            )

    def _check_labels(self, what, labels, images):
        shape, dtype = getattr(labels, "shape", None), getattr(labels, "dtype", None)
        if dtype != np.int64 or shape != (images,):
            raise ArgumentError(
                f"{self.name}: {what}: expected int64 labels ({images},), got {dtype or type(labels).__name__} {shape}"
            )
        if images and not 0 <= labels.min() <= labels.max() < len(self.class_names):
            raise ArgumentError(
                f"{self.name}: {what}: expected labels from 0 to {len(self.class_names) - 1}, "
                f"got {labels.min()} to {labels.max()}"
            )

    def __str__(self):
        height, width, channels = self.train_images.shape[1:]
        text = (
            f"{self.name}: {len(self.train_images):,} training and {len(self.test_images):,} test images "
            f"of {height}x{width}x{channels} in {len(self.class_names)} classes"
        )
        return f"{text}; {len(self.skipped)} files skipped" if self.skipped else text

    def __repr__(self):
        # The generated one would print every pixel.
        return f"<{type(self).__name__} {self}>"
