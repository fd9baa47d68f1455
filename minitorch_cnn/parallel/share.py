"""One rank's part of a batch, and how it counts in the whole."""

from dataclasses import dataclass

from minitorch_cnn.arrays import is_array


@dataclass(frozen=True)
class Share:
    """Images `first` to `stop` of a batch of `whole`.

    A rank without images computes one of another's and adds nothing: it has to take part in all sums.
    """

    ranks: object
    first: int
    stop: int
    whole: int

    @property
    def images(self):
        """How many count."""
        return self.stop - self.first

    @property
    def rows(self):
        """The slice of the batch to compute."""
        return slice(self.first, self.stop) if self.images else slice(0, 1)

    def total(self, sums):
        """`sums`, an array of what this rank has added up over its images, made into the sum over all ranks."""
        if not self.images:
            sums[...] = 0
        self.ranks.sum(sums)
        return sums

    def count_all(self, count):
        """How many numbers the whole batch has where the rows computed here have `count`."""
        return count // max(self.images, 1) * self.whole


class Weighted:
    """A loss whose gradient is this share's term of the batch's: a mean over few images, scaled to a mean over all."""

    def __init__(self, loss, share):
        self.loss, self.follows, self.weight = loss, loss.follows, share.images / share.whole

    def value_and_gradient(self, prediction, labels):
        """(loss of the share, gradient of the batch's loss)."""
        return self._weighted(*self.loss.value_and_gradient(prediction, labels))

    def from_scores(self, scores, labels):
        """(loss of the share, gradient of the batch's loss)."""
        return self._weighted(*self.loss.from_scores(scores, labels))

    def _weighted(self, value, gradient):
        return value, gradient * gradient.dtype.type(self.weight)


def part(items, first, stop):
    """Items `first` to `stop`: of an array a view, of a sequence that loads them one that loads no others."""
    return items[first:stop] if is_array(items) else Part(items, first, stop)


class Part:
    """Items `first` to `stop` of a sequence that is asked for slices or arrays of indices."""

    def __init__(self, items, first, stop):
        self.items, self.first, self.stop = items, first, stop

    def __len__(self):
        return self.stop - self.first

    def __getitem__(self, rows):
        if not isinstance(rows, slice):
            return self.items[self.first + rows]
        start, stop, _ = rows.indices(len(self))
        return self.items[self.first + start : self.first + stop]
