"""One rank's part of a batch, and how it contributes to the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, is_array
from minitorch_cnn.datasets.several import Several
from minitorch_cnn.datasets.weighted_labels import WeightedLabels


@dataclass(frozen=True)
class Share:
    """Images `first` to `stop` (exclusive) of a batch of `whole` images, which the rank behind `ranks` computes.

    A rank without images computes one image of another rank and contributes zero, because it must take part in every
    sum over the ranks.
    """

    ranks: Any  # Alone or Ranks
    first: int
    stop: int
    whole: int

    @property
    def images(self) -> int:
        """The number of images that count."""
        return self.stop - self.first

    @property
    def rows(self) -> slice:
        """The slice of the batch to compute."""
        return slice(self.first, self.stop) if self.images else slice(0, 1)

    def total(self, sums: Array) -> Array:
        """Replace `sums`, an array of sums over this rank's images, by the sums over all ranks, and return it."""
        if not self.images:
            sums[...] = 0
        self.ranks.sum(sums)
        return sums

    def count_all(self, count: int) -> int:
        """Scale `count`, the number of values in the rows computed here, to the number in the whole batch."""
        return count // max(self.images, 1) * self.whole


class Weighted:
    """A loss whose gradient is the share's term of the batch's gradient: that of a mean over the share, scaled down."""

    def __init__(self, loss: Any, share: Share) -> None:
        self.loss, self.follows, self.weight = loss, loss.follows, share.images / share.whole

    def value_and_gradient(self, prediction: Array, labels: Array) -> tuple[float, Array]:
        """(loss of the share, the share's term of the batch's gradient, shaped like `prediction`)."""
        return self._weighted(*self.loss.value_and_gradient(prediction, labels))

    def from_scores(self, scores: Array, labels: Array) -> tuple[float, Array]:
        """(loss of the share, the share's term of the batch's gradient, shaped like `scores`)."""
        return self._weighted(*self.loss.from_scores(scores, labels))

    def _weighted(self, value, gradient):
        return value, gradient * gradient.dtype.type(self.weight)


def part(items: Any, first: int, stop: int) -> Any:
    """Items `first` to `stop` (exclusive): a view of an array, or a `Part` that loads no other items."""
    if isinstance(items, Several):
        return Several([part(each, first, stop) for each in items.parts], len(items.parts), "part")
    if isinstance(items, WeightedLabels):
        return WeightedLabels(part(items.labels, first, stop), items.weights[first:stop])
    return items[first:stop] if is_array(items) else Part(items, first, stop)


class Part:
    """Items `first` to `stop` (exclusive) of a sequence that is indexed with slices or arrays of indices."""

    def __init__(self, items: Any, first: int, stop: int) -> None:
        self.items, self.first, self.stop = items, first, stop

    def __len__(self) -> int:
        return self.stop - self.first

    def __getitem__(self, rows: slice | np.ndarray) -> Any:
        if not isinstance(rows, slice):
            return self.items[self.first + rows]
        start, stop, _ = rows.indices(len(self))
        return self.items[self.first + start : self.first + stop]
