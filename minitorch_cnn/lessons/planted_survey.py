"""Every planted bug on many random shapes: is it found wherever it shows, and is what is correct left alone?"""

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS, PlantedBug

COLUMNS = ("shapes", "found", "named", "accused", "hidden")
TITLE = 56
HEAD = (
    "On random shapes on which the bug shows: how often the check found it, how often it named the very bug, and how",
    "often it accused the class without the bug. Hidden: shapes drawn before, on which the bug changes no number.",
    "",
    f"{'':{TITLE}}" + "".join(f"{name:>9}" for name in COLUMNS),
)


@dataclass
class Survey:
    """What the check made of one bug.

    Fields: `shapes` on which the bug shows; on how many it was `found`, and `named` as what it is; on how many the
    class without it was `accused`; `hidden` how many others were drawn, on which the bug cannot be seen.
    """

    bug: PlantedBug
    shapes: int = 0
    found: int = 0
    named: int = 0
    accused: int = 0
    hidden: int = 0

    @property
    def passed(self):
        """Whether it was found everywhere, and nothing correct accused."""
        return self.found == self.shapes and not self.accused


def survey(bug, shapes, seed=0):
    """The Survey of a bug on as many random shapes on which it shows."""
    result = Survey(bug, shapes)
    with definitions_only():
        for number in range(shapes):
            trial, hidden = bug.shown(np.random.default_rng([seed, number]))
            report = trial.check(bug.planted)
            result.hidden += hidden
            result.found += not report.passed
            result.named += not report.passed and bug.words in str(report)
            result.accused += not trial.check(bug.correct).passed
    return result


def surveys(shapes):
    """The Survey of each bug of the gallery, one after the other."""
    return (survey(bug, shapes) for bug in PLANTED_BUGS)


def line(row):
    """One Survey as a line below HEAD."""
    return f"{row.bug.title:{TITLE}}" + "".join(f"{getattr(row, name):9}" for name in COLUMNS)


def ending(rows, layers, accused):
    """The last lines: all together, and `layers` correct ones of every kind, of which `accused` seemed wrong."""
    everywhere = [row for row in rows if row.found == row.shapes]
    shapes, found, wrongly = (sum(getattr(row, name) for row in rows) for name in ("shapes", "found", "accused"))
    missed = [row.bug.title for row in rows if row not in everywhere]
    found_words = f"{len(everywhere)} of {len(rows)} bugs found on every shape: {found} of {shapes}"
    yield found_words + _listed("; missed:", missed)
    correct = shapes + layers
    yield f"{wrongly + len(accused)} of {correct} correct ones accused" + _listed(":", accused)


def _listed(words, names):
    return f"{words} {', '.join(names)}" if names else ""
