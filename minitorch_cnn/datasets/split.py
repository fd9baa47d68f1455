"""Setting images aside for the test, the same ones every time, and of every class the same share."""

import numpy as np


def stratified_split(labels, fraction, seed):
    """Split `len(labels)` images in two so that each class keeps its share in both parts.

    labels    (N,) integers
    fraction  the share of the images that goes into the second part, between 0 and 1
    seed      a non-negative integer; the same seed gives the same split

    Returns two sorted int64 arrays of indices, the larger part first.

    The images are put in a random order, then sorted by class without disturbing that order within a class. Taking
    one at every step of 1/`fraction` along that row takes the same share of each class.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(np.asarray(labels)[shuffled], kind="stable")]
    steps = np.ceil(np.arange(len(labels) + 1) * fraction)
    taken = np.diff(steps) > 0
    return np.sort(by_class[~taken]), np.sort(by_class[taken])
