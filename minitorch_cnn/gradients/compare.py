"""Compares a gradient with difference quotients: which number agrees least, and is the disagreement only a kink?

At a kink (the zero of a ReLU, a tie in a pool) the function has no derivative, only a slope to the left and another to
the right. Comparing these two slopes tells a kink from a bug.

Of a large array only a sample is compared number by number. The rest is moved all at once, each number up or down at
random. The slope in that direction must be the sum of the gradient's numbers with these signs, so a single wrong number
shows. Halving the set of numbers that move, again and again, finds it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.gradients.problem import Problem, slope, slope_along

KINK_STEPS = (1e-6, 1e-7, 1e-8)
KINK_NOISE = 1e-6  # of the largest gradient: how far backward may be from the slope beside a kink


@dataclass
class Element:
    """One number of one array: its derivative according to backward, and according to the difference quotient."""

    name: str
    index: tuple
    backward: float
    numerical: float
    error: float  # |backward - numerical| / scale
    kink: bool = False
    scale: float = 1.0  # the array's largest gradient, or the smallest one visible in spite of L's rounding if larger

    def __str__(self) -> str:
        if not self.index:
            return f"{self.name}: no gradient of its shape"
        place = f"{self.name}[{', '.join(map(str, self.index))}]"
        note = "  (a kink: the slopes to the left and right differ)" if self.kink else ""
        return f"{place}: backward {self.backward:+.9e}, numerical {self.numerical:+.9e}, error {self.error:.1e}{note}"


def compare(
    report: Any, problem: Problem, name: str, array: Array, gradient: np.ndarray, step: float, most: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Compare up to `most` numbers of the array called `name`, and the rest together; the worst goes into `report`.

    `gradient` has the shape of `array`; `step` is the h of the difference quotient; `rng` draws the sample.
    """
    chosen = range(array.size) if array.size <= most else np.sort(rng.choice(array.size, most, replace=False))
    largest = max(float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0)), 1e-8)
    visible = max(largest, problem.rounding / step / report.tolerance)  # below this a quotient is nothing but rounding
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
    """[the flat index] of a number among `places` whose gradient seems wrong, or [].

    If the direction crosses a kink, the number found may be right; the caller compares it by itself.
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
    """Whether a kink at or near the point explains the value of backward.

    At a kink the two one-sided slopes stay apart however small the step is, and backward gives one of them or a value
    in between. Near a kink the slopes agree with backward as soon as the step no longer reaches the kink. With a bug
    neither happens.
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
