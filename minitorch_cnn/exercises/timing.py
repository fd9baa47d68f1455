"""How long the learner's function takes beside the solution, and beside what the package itself does."""

import time
from dataclasses import dataclass

ROUNDS, BUDGET = 5, 1.0  # the best of so many calls, as far as they fit into so many seconds
ALIKE, SLOW = 1.15, 20  # times ours: no difference to speak of; a loop that NumPy could do


def fastest(call):
    """Seconds of the fastest of a few calls."""
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
    """Of one function on its large case, in seconds: the solution, the learner's, the package's; None: not known."""

    function: str
    ours: float
    yours: float | None = None
    package: float | None = None
    limit: float = 0.0  # how long it was waited for

    @property
    def words(self):
        """One line."""
        if self.yours is None:
            return (
                f"{self.function}: right, but too slow to be timed: not through with the large case after"
                f" {self.limit:g} seconds; the solution takes {_in_words(self.ours)}. {LOOPS}"
            )
        ratio = self.yours / max(self.ours, 1e-9)
        compared = "as fast" if 1 / ALIKE < ratio < ALIKE else f"{1 / ratio:.1f} times as fast as that"
        compared = f"takes {ratio:.1f} times that" if ratio >= ALIKE else compared
        words = f"{self.function}: yours {_in_words(self.yours)}, the solution {_in_words(self.ours)}: {compared}"
        if self.package is not None:
            words += f"; the package itself {_in_words(self.package)}"
        return f"{words}. {LOOPS}" if ratio > SLOW else words

    def __str__(self):
        return self.words


LOOPS = "A Python loop over single numbers is slow: let NumPy take whole slices at once"


def _in_words(seconds):
    return f"{seconds:.2g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
