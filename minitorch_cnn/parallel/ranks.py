"""What a training asks of the processes that share it; `Alone` is what that means for a single one."""

import functools
import itertools

import numpy as np

from minitorch_cnn.errors import UserError
from minitorch_cnn.parallel.share import Share


class Alone:
    """One process: all images are its own, and every sum has one term."""

    rank, size = 0, 1

    @property
    def reports(self):
        """Whether this is the one that reports and saves."""
        return self.rank == 0

    def sum(self, vector):
        """Every rank's `vector` becomes the sum of all, in place; the same bits everywhere."""

    def any(self, flag):
        """Whether `flag` is true on any rank."""
        flags = np.array([bool(flag)], np.float64)
        self.sum(flags)
        return bool(flags[0])

    def from_first(self, function):
        """On every rank what `function()` returns, or the UserError it raises, on the first, which alone calls it."""
        return function()

    def gather(self, value):
        """Every rank's `value`, in the order of the ranks."""
        return [value]

    def anybodys(self, value):
        """The first rank's `value` that has one."""
        return next((value for value in self.gather(value) if value), None)

    def in_turn(self, function):
        """`function()` of every rank, called on the first before the others: what it downloads, they find."""
        return function()

    def choose_device(self, backend):
        """Take this rank's GPU, where `backend` is one of several GPUs."""

    def share(self, images):
        """This rank's `Share` of a batch of so many images."""
        cuts = self.cuts(images)
        return Share(self, cuts[self.rank], cuts[self.rank + 1], images)

    def cuts(self, things):
        """Where each rank's share of so many things begins, and where the last one ends."""
        return [rank * things // self.size for rank in range(self.size + 1)]

    def exchange(self, rows, cuts):
        """Fill in on every rank all of `rows` (N, ...), of which rank r has made those from cuts[r] to cuts[r + 1]."""


class Ranks(Alone):
    """The processes of an MPI communicator."""

    def __init__(self, communicator):
        self.communicator, self.rank, self.size = communicator, communicator.rank, communicator.size

    def sum(self, vector):
        from mpi4py import MPI

        if isinstance(vector, np.ndarray):
            self.communicator.Allreduce(MPI.IN_PLACE, vector)
        else:
            self._devices.sum(vector)

    def exchange(self, rows, cuts):
        from mpi4py import MPI

        counts = [rows[first:stop].size for first, stop in itertools.pairwise(cuts)]
        self.communicator.Allgatherv(MPI.IN_PLACE, [rows, counts])

    def from_first(self, function):
        value = error = None
        if self.reports:
            try:
                value = function()
            except UserError as mistake:
                mistake.together, error = True, mistake  # raised on all ranks, which then end by themselves
        value, error = self.communicator.bcast((value, error))
        if error is not None:
            raise error
        return value

    def gather(self, value):
        return self.communicator.allgather(value)

    def in_turn(self, function):
        found = []
        self.from_first(lambda: found.append(function()))
        return found[0] if found else function()

    def choose_device(self, backend):
        if backend != "numpy":
            from minitorch_cnn.parallel.devices import choose_device

            choose_device()

    @functools.cached_property
    def _devices(self):
        from minitorch_cnn.parallel.devices import device_sums

        return device_sums(self.communicator)
