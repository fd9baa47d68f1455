"""Compares the time of the learner's function with that of the solution and of the package itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from minitorch_cnn.files.printable import counted

ROUNDS, BUDGET = 5, 1.0  # the fastest of this many calls, or of those that fit into this many seconds
ALIKE, SLOW = (
    1.15,
    20,
)  # times the solution: up to 1.15 counts as equal, from 20 on a loop is the likely cause


def fastest(call: Callable[[], object]) -> float:
    """The time in seconds of the fastest of a few calls."""
    spent, best = 0.0, float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        taken = time.perf_counter() - start
        best, spent = min(best, taken), spent + taken
        if spent > BUDGET:
            break
    return best


@dataclass
class Times:
    """The times of one function on its large case, in seconds; None if not known."""

    function: str
    ours: float
    yours: float | None = None
    package: float | None = None
    limit: float = 0.0  # after so many seconds the learner's function was stopped

    @property
    def words(self) -> str:
        """The comparison as one line."""
        if self.yours is None:
            return (
                f"{self.function}: right, but too slow to be timed: the large case did not finish within"
                f" {counted(self.limit, 'second')}; the solution takes {_in_words(self.ours)}. {LOOPS}"
            )
        ratio = self.yours / max(self.ours, 1e-9)
        compared = "equally fast" if 1 / ALIKE < ratio < ALIKE else f"{1 / ratio:.1f} times as fast"
        compared = f"{ratio:.1f} times as long" if ratio >= ALIKE else compared
        words = f"{self.function}: yours takes {_in_words(self.yours)}, the solution {_in_words(self.ours)}: {compared}"
        if self.package is not None:
            words += f"; the package itself takes {_in_words(self.package)}"
        return f"{words}. {LOOPS}" if ratio > SLOW else words

    def __str__(self) -> str:
        return self.words


LOOPS = "A Python loop over single numbers is slow: let NumPy work on whole slices at once"


def _in_words(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
