"""The numbers of one gradient beside the difference quotients: which of them agrees least, and whether it is a kink.

At a kink (a ReLU's zero, a tie of two numbers in a pool) the function has two one-sided slopes and no derivative; one
is recognised by comparing the slopes to the left and to the right, and is not called a bug.

Of a large array a sample is compared one by one. The others are moved all at once, each to one side or the other by
chance: what backward says of that direction is the sum of its numbers, and a single wrong one spoils it. Halving the
numbers that were moved leads to it.
"""

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.gradients.problem import slope, slope_along

KINK_STEPS = (1e-6, 1e-7, 1e-8)
KINK_NOISE = 1e-6  # of the largest gradient: what backward may be off the slope beside a kink


@dataclass
class Element:
    """One number of one array: what backward says its derivative is, and what the difference quotient says."""

    name: str
    index: tuple
    backward: float
    numerical: float
    error: float  # |backward - numerical| / the largest gradient in the array, or what L's rounding lets one see of it
    kink: bool = False
    scale: float = 1.0  # what the error is measured in

    def __str__(self):
        if not self.index:
            return f"{self.name}: no gradient of its shape"
        place = f"{self.name}[{', '.join(map(str, self.index))}]"
        note = "  (a kink: the slopes to the left and right differ)" if self.kink else ""
        return f"{place}: backward {self.backward:+.9e}, numerical {self.numerical:+.9e}, error {self.error:.1e}{note}"


def compare(report, problem, name, array, gradient, step, most, rng):
    """Compare up to `most` numbers of one array and put the worst into the report."""
    chosen = range(array.size) if array.size <= most else np.sort(rng.choice(array.size, most, replace=False))
    largest = max(float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0)), 1e-8)
    visible = max(largest, problem.rounding / step / report.tolerance)  # below it a quotient is all rounding
    rest = np.setdiff1d(np.arange(array.size), chosen)
    hidden = _disagreeing(problem, array, gradient, rest, step, report.tolerance * visible, rng) if len(rest) else []
    report.together += len(rest)
    for flat in (*chosen, *hidden):
        index = tuple(int(i) for i in np.unravel_index(flat, array.shape))
        numerical = slope(problem, array, index, step, -step)
        scale = max(visible, abs(numerical))
        error = float(abs(numerical - gradient[index]) / scale)
        error = error if np.isfinite(error) else np.inf
        element = Element(name, index, float(gradient[index]), numerical, error, scale=scale)
        report.checked += 1
        if element.error > report.tolerance and _is_kink(problem, array, index, element, largest):
            element.kink = True
            report.kinks.append(element)
        elif name not in report.worst or element.error > report.worst[name].error:
            report.worst[name] = element


def _disagreeing(problem, array, gradient, places, step, least, rng):
    """[the flat index] of a number among `places` whose gradient seems wrong, or []: whoever asks looks at it closely.

    A direction across a kink may lead to a number that is right; a bug that spoils many is found all the same.
    """
    signs = rng.choice((-1.0, 1.0), len(places))

    def wrong(some):
        numerical = slope_along(problem, array, places[some], signs[some], step)
        error = abs(numerical - float((gradient.reshape(-1)[places[some]] * signs[some]).sum()))
        return not error <= max(least, KINK_NOISE * abs(numerical))

    some = np.arange(len(places))
    if not wrong(some):
        return []
    while len(some) > 1:
        first, second = np.array_split(some, 2)
        some = first if wrong(first) else second
    return [int(places[some[0]])]


def _is_kink(problem, array, index, element, largest):
    """Whether backward's value is explained by a kink at or near the point.

    At a kink the slopes to the two sides stay apart however small the step, and backward gives one of them or one in
    between; near a kink the slopes move to what backward says once the step no longer reaches it. A bug does neither.
    """
    stays_apart = True
    for step in KINK_STEPS:
        right, left = slope(problem, array, index, step, 0.0), slope(problem, array, index, 0.0, -step)
        low, high, middle = min(left, right), max(left, right), (left + right) / 2
        rounding = problem.rounding / step
        noise = 1e-4 * largest + rounding
        if high - low <= 4 * noise:
            stays_apart = False
            if abs(element.backward - middle) <= KINK_NOISE * largest + rounding < abs(element.numerical - middle):
                return True
    return stays_apart and low - noise <= element.backward <= high + noise
