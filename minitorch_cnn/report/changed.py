"""Which images changed sides between two phases: those that were put right and those that were made wrong.

Two accuracies on the same images differ only by these. Whether the difference could be chance says McNemar's test: if
neither network were better, each image that changed sides would be put right or made wrong like the toss of a coin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minitorch_cnn.errors import ShapeError


@dataclass(frozen=True)
class Changed:
    """The numbers of the images that were put right, and of those that were made wrong."""

    put_right: list[int]
    made_wrong: list[int]

    @property
    def p(self) -> float:
        """McNemar's exact p."""
        return mcnemar(len(self.put_right), len(self.made_wrong))


def changed(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> Changed:
    """The images that changed sides; `before` and `after` (N, classes) are the probabilities of the two networks.

    Raises ShapeError when they do not fit the `labels` (N,).
    """
    labels, before, after = np.asarray(labels), np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 2 or labels.shape != before.shape[:1]:
        raise ShapeError(
            f"changed: expected (N, classes) twice, got {before.shape} and {after.shape} for {labels.shape}"
        )
    was, now = (each.argmax(axis=1) == labels for each in (before, after))
    return Changed(np.flatnonzero(~was & now).tolist(), np.flatnonzero(was & ~now).tolist())


def mcnemar(put_right: int, made_wrong: int) -> float:
    """The probability that coin tosses come out at least so unevenly, either way: McNemar's exact two-sided p."""
    tosses, fewer = put_right + made_wrong, min(put_right, made_wrong)
    tail = sum(math.comb(tosses, number) for number in range(fewer + 1))
    return min(1.0, 2 * tail / 2**tosses)


def sentence(names: Sequence[str], found: Changed) -> str:
    """The counts in words; `names` of the two phases."""
    first, second = names
    right, wrong = len(found.put_right), len(found.made_wrong)
    return f"from {first} to {second}: {right} put right, {wrong} made wrong (McNemar's p {found.p:.2g})"
