"""The handwritten digits that ship with the package: real images to train on without a download.

There are 1,797 images of the digits 0 to 9, written by 13 people, of 8x8 pixels with 17 grey levels. They are the test
part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, licence CC BY 4.0. DIGITS.md describes the stored file.
"""

import functools
import pathlib

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.split import stratified_split
from minitorch_cnn.errors import require

SIZE = 32  # pixels: the input size of the CIFAR-10 ConvNet
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits() -> Dataset:
    """The UCI handwritten digits as a Dataset of 32x32x3 images, 1,347 for training and 450 for testing.

    The images are grey, so the three channels are equal; the shape is that of CIFAR-10 so that the same network can be
    trained on them. The split is fixed: each class is shuffled with seed 0, and every fourth image is a test image. The
    same people wrote both parts, so the test accuracy does not measure how well other people's writing is recognised.
    """
    images, labels = _enlarged()
    train, test = stratified_split(labels, 1 / 4, seed=0)
    # Indexing with arrays copies, so callers may modify the images they get.
    return Dataset("digits", images[train], labels[train], images[test], labels[test], CLASS_NAMES)


@functools.cache
def _enlarged():
    """All digits, (1797, 32, 32, 3) uint8, and their labels, (1797,) int64."""
    Image = require("PIL.Image", "enlarging the handwritten digits")
    # allow_pickle=False: the file may contain only numbers, never code.
    with np.load(pathlib.Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        small, labels = stored["images"], stored["labels"].astype(np.int64)
    grey = np.rint(small * (255 / 16)).astype(np.uint8)
    large = [Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for image in grey]
    return np.repeat(np.stack(large)[..., None], 3, axis=-1), labels
