"""Splitting images into a training and a test part, reproducibly and with the same share of every class."""

import numpy as np


def stratified_split(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split N images into two parts with the same share of every class; return two sorted int64 arrays of indices.

    Arguments: `labels` (N,) integers; `fraction` the share of the images that goes into the second part, between 0 and
    1; `seed` a non-negative integer, where the same seed gives the same split.

    The images are shuffled and then sorted by class with a stable sort, which keeps the random order within each class.
    Taking one image at every step of 1/`fraction` along that sequence takes the same share of each class. Of a small
    class that may be no image or all, so then one image changes sides: every class has an image in the first part, and
    if it has two or more, also one in the second.
    """
    labels = np.asarray(labels)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    taken = np.diff(np.ceil(np.arange(len(labels) + 1) * fraction)) > 0
    for places in np.split(np.arange(len(labels)), np.flatnonzero(np.diff(labels[by_class])) + 1):
        if len(places) and (taken[places].all() or (len(places) > 1 and not taken[places].any())):
            taken[places[0]] ^= True
    return np.sort(by_class[~taken]), np.sort(by_class[taken])
