"""The handwritten digits that ship with the package: something real to train on, with no download.

1,797 images of the digits 0 to 9, written by 13 people, 8x8 pixels of 17 grey levels: the test part of "Optical
Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, licence CC BY 4.0. DIGITS.md says what the stored file holds.
"""

import functools
import pathlib

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.split import stratified_split

SIZE = 32  # pixels: what the CIFAR-10 ConvNet takes
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits():
    """The UCI handwritten digits, 1,347 to train on and 450 to test on, as 32x32x3 images.

    Returns a Dataset. The three channels are equal: the pictures are grey, and the shape is that of CIFAR-10 so that
    the same network trains on them. The split is fixed: every fourth image of each class, in a random order with
    seed 0, is for the test. The same people wrote both parts, so a score here says nothing about a stranger's hand.
    """
    images, labels = _enlarged()
    train, test = stratified_split(labels, 1 / 4, seed=0)
    # Indexing copies: a caller may write into what it gets.
    return Dataset("digits", images[train], labels[train], images[test], labels[test], CLASS_NAMES)


@functools.cache
def _enlarged():
    """All digits as (1797, 32, 32, 3) uint8 and their labels (1797,) int64."""
    from PIL import Image

    # allow_pickle=False: an array file can hold numbers only, never code.
    with np.load(pathlib.Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        small, labels = stored["images"], stored["labels"].astype(np.int64)
    grey = np.rint(small * (255 / 16)).astype(np.uint8)
    large = [Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for image in grey]
    return np.repeat(np.stack(large)[..., None], 3, axis=-1), labels
