"""Every planted bug on many random shapes: is it found wherever it shows, and does correct code pass the check?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS, PlantedBug

COLUMNS = ("shapes", "found", "named", "false_alarms", "hidden")
TITLE = 56
HEAD = (
    "On random shapes on which the bug shows: how often the check found it, how often it named this very bug, and",
    "how often it gave a false alarm for the class without the bug. Hidden: other shapes, where the bug has no effect.",
    "",
    f"{'':{TITLE}}" + "".join(f"{name.replace('_', ' '):>{len(name) + 2}}" for name in COLUMNS),
)


@dataclass
class Survey:
    """What the check reported about one bug.

    Fields: `shapes`, the number of shapes on which the bug shows; `found` and `named`, on how many of them the check
    found the bug and named it; `false_alarms`, on how many it rejected the class without the bug; `hidden`, how many
    further shapes were drawn on which the bug changes nothing.
    """

    bug: PlantedBug
    shapes: int = 0
    found: int = 0
    named: int = 0
    false_alarms: int = 0
    hidden: int = 0

    @property
    def passed(self) -> bool:
        """Whether the bug was found on every shape, without a false alarm."""
        return self.found == self.shapes and not self.false_alarms


def survey(bug: PlantedBug, shapes: int, seed: int = 0) -> Survey:
    """The Survey of a bug on `shapes` random shapes on which it shows."""
    result = Survey(bug, shapes)
    with definitions_only():
        for number in range(shapes):
            trial, hidden = bug.shown(np.random.default_rng([seed, number]))
            report = trial.check(bug.planted)
            result.hidden += hidden
            result.found += not report.passed
            result.named += not report.passed and bug.words in str(report)
            result.false_alarms += not trial.check(bug.correct).passed
    return result


def surveys(shapes: int) -> Iterator[Survey]:
    """Yield the Survey of each bug of the gallery in turn."""
    return (survey(bug, shapes) for bug in PLANTED_BUGS)


def line(row: Survey) -> str:
    """One Survey as a line of the table that starts with `HEAD`."""
    return f"{row.bug.title:{TITLE}}" + "".join(f"{getattr(row, name):{len(name) + 2}}" for name in COLUMNS)


def ending(rows: Sequence[Survey], layers: int, rejected: Sequence[str]) -> Iterator[str]:
    """Yield the summary lines: totals of `rows`, and which of `layers` further correct layers were `rejected`."""
    everywhere = [row for row in rows if row.found == row.shapes]
    shapes, found, alarms = (sum(getattr(row, name) for row in rows) for name in ("shapes", "found", "false_alarms"))
    missed = [row.bug.title for row in rows if row not in everywhere]
    found_words = f"{len(everywhere)} of {len(rows)} bugs found on every shape: {found} of {shapes}"
    yield found_words + _listed("; missed:", missed)
    yield f"{alarms + len(rejected)} false alarms in {shapes + layers} correct layers" + _listed(":", rejected)


def _listed(words: str, names: Sequence[str]) -> str:
    return f"{words} {', '.join(names)}" if names else ""
