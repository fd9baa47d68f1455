"""What training needs from the processes that share it; `Alone` implements it for a single process."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.errors import UserError
from minitorch_cnn.parallel.share import Share

T = TypeVar("T")


class Alone:
    """A single process: it computes all images, and every sum over ranks has one term."""

    rank, size = 0, 1

    @property
    def reports(self) -> bool:
        """Whether this is the rank that reports and saves, which is the first one."""
        return self.rank == 0

    def sum(self, vector: Array) -> None:
        """Replace every rank's `vector` by the sum over all ranks, with the same bits on every rank."""

    def any(self, flag: object) -> bool:
        """Whether `flag` is true on any rank."""
        flags = np.array([bool(flag)], np.float64)
        self.sum(flags)
        return bool(flags[0])

    def from_first(self, function: Callable[[], T]) -> T:
        """Call `function()` on the first rank only and return its result on every rank.

        A UserError that it raises is raised on every rank.
        """
        return function()

    def gather(self, value: T) -> list[T]:
        """Every rank's `value`, in the order of the ranks."""
        return [value]

    def any_rank(self, value: T) -> T | None:
        """The `value` of the first rank on which it is true, or None if there is no such rank."""
        return next((value for value in self.gather(value) if value), None)

    def in_turn(self, function: Callable[[], T]) -> T:
        """Each rank's own `function()`; the first rank calls it before the others, so it downloads only once."""
        return function()

    def choose_device(self, backend: str) -> None:
        """Select this rank's GPU if `backend` is "cupy"."""

    def share(self, images: int) -> Share:
        """This rank's `Share` of a batch of `images` images."""
        cuts = self.cuts(images)
        return Share(self, cuts[self.rank], cuts[self.rank + 1], images)

    def cuts(self, things: int) -> list[int]:
        """`size` + 1 positions that divide `things` items: where each rank's share begins and the last ends."""
        return [rank * things // self.size for rank in range(self.size + 1)]

    def exchange(self, rows: np.ndarray, cuts: Sequence[int]) -> None:
        """Fill in all of `rows` (N, ...) on every rank; rank r has computed rows cuts[r] to cuts[r + 1] (exclusive)."""


class Ranks(Alone):
    """The processes of an MPI communicator."""

    def __init__(self, communicator: Any) -> None:
        self.communicator, self.rank, self.size = communicator, communicator.rank, communicator.size

    def sum(self, vector: Array) -> None:
        from mpi4py import MPI

        if isinstance(vector, np.ndarray):
            self.communicator.Allreduce(MPI.IN_PLACE, vector)
        else:
            self._devices.sum(vector)

    def exchange(self, rows: np.ndarray, cuts: Sequence[int]) -> None:
        from mpi4py import MPI

        counts = [rows[first:stop].size for first, stop in itertools.pairwise(cuts)]
        self.communicator.Allgatherv(MPI.IN_PLACE, [rows, counts])

    def from_first(self, function: Callable[[], T]) -> T:
        value = error = None
        if self.reports:
            try:
                value = function()
            except UserError as mistake:
                mistake.together, error = True, mistake  # type: ignore[attr-defined]  # all ranks raise it and end by themselves
        value, error = self.communicator.bcast((value, error))
        if error is not None:
            raise error
        return value

    def gather(self, value: T) -> list[T]:
        return self.communicator.allgather(value)

    def in_turn(self, function: Callable[[], T]) -> T:
        found = []
        self.from_first(lambda: found.append(function()))
        return found[0] if found else function()

    def choose_device(self, backend: str) -> None:
        if backend != "numpy":
            from minitorch_cnn.parallel.devices import choose_device

            choose_device()

    @functools.cached_property
    def _devices(self):
        from minitorch_cnn.parallel.devices import device_sums

        return device_sums(self.communicator)
