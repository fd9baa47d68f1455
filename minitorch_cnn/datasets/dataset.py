"""A data set: images for training, images for testing, and the names of their classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import counted

Images: TypeAlias = Any  # a NumPy array (N, H, W, C) uint8, or an `ImageFolder`, which is indexed like one


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images (N, H, W, C) and labels (N,), already split into a training part and a test part.

    Arguments: `name` for reports; `train_images` and `test_images` (N, H, W, C) uint8, red-green-blue, each an array or
    an object that decodes its images on demand and has `shape`, `dtype`, `len()` and `images[indices]` (`ImageFolder`);
    `train_labels` and `test_labels` (N,) int64, indices into `class_names`; `class_names` strings; `skipped` the paths
    of the files that are not images, to which an ImageFolder adds those that turn out to be damaged when decoded.

    Raises ArgumentError when these do not fit together.
    """

    name: str
    train_images: Images
    train_labels: np.ndarray
    test_images: Images
    test_labels: np.ndarray
    class_names: Sequence[str]
    skipped: Sequence[str] = ()

    def __post_init__(self) -> None:
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

    def __str__(self) -> str:
        height, width, channels = self.train_images.shape[1:]
        text = (
            f"{self.name}: {len(self.train_images):,} training and {counted(len(self.test_images), 'test image')} "
            f"of {height}x{width}x{channels} in {counted(len(self.class_names), 'class', 'classes')}"
        )
        return f"{text}; {counted(len(self.skipped), 'file')} skipped" if self.skipped else text

    def __repr__(self) -> str:
        # The generated method would print every pixel.
        return f"<{type(self).__name__} {self}>"
