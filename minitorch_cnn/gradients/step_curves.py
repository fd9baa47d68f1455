"""Which step h should a gradient check take? The error of the difference quotient over h answers it.

    (L(w + h) - L(w - h)) / 2h   =   dL/dw  +  h^2/6 d3L/dw3  +  rounding of L / h

With a large h the curvature of L causes the error (the first term), with a small h the rounding of L does (the second).
So in a chart with two logarithmic axes a right gradient gives a V. Its minimum lies at h ~ 1e-5 in float64 and is
shallow in float32, which is why gradients are checked in float64. If L has no third derivative with respect to w, the
right arm of the V is missing. A wrong gradient gives a floor: no step brings the quotient closer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.gradients.compare import Element
from minitorch_cnn.gradients.problem import Problem, slope

STEPS = tuple(10.0**-power for power in range(13))
DTYPES = ("float32", "float64")
FLOOR = 1e-5  # if the smallest error in float64 is above this, the gradient is wrong
CLIFF = 1e5  # an error that falls by so much from one step to the next cannot be h^2, which falls by 100


@dataclass
class StepCurve:
    """The errors of one number's difference quotients, for each dtype and each of `steps`.

    An error is the distance from backward's value, relative to the scale of the check; NaN if there is no quotient.
    """

    name: str
    steps: tuple
    errors: dict  # dtype -> [error of each step]
    kink: bool = False

    def best(self, dtype: str = "float64") -> tuple[float, float]:
        """(step, error) with the smallest error; NaN if no step gave a number."""
        finite = [(error, step) for error, step in zip(self.errors[dtype], self.steps) if np.isfinite(error)]
        error, step = min(finite, default=(float("nan"), float("nan")))
        return step, error

    @property
    def verdict(self) -> str:
        """What the curve shows, in a few words."""
        step, error = self.best()
        if self.kink:
            return "a kink: the quotient depends on which side the step reaches"
        if not error <= FLOOR:
            return "a floor: no step brings the two together, so the gradient is wrong"
        errors = self.errors["float64"]
        for here, above, below in zip(self.steps, errors, errors[1:]):
            if above > FLOOR and above > CLIFF * below:
                return f"a cliff: a step of {here:.0e} reaches across a kink (a ReLU, a pool); smaller ones see none"
        if not errors[0] > 100 * error:
            return "no right arm: L is linear or quadratic in this number, only rounding is left"
        return f"a V: large steps miss the curvature, small ones are rounded, best at h = {step:.0e}"

    def lines(self) -> list[str]:
        """The table and the verdict as lines of text."""
        head = "  ".join(f"{step:5.0e}" for step in self.steps)
        rows = [f"step h   {head}"]
        for dtype in DTYPES:
            rows.append(f"{dtype}  " + "  ".join(f"{error:5.0e}" for error in self.errors[dtype]))
        return [*rows, self.verdict]


def step_curve(problem: Problem, element: Element, steps: Sequence[float] = STEPS) -> StepCurve:
    """The StepCurve of one element of a gradient check; L is evaluated twice for every step and dtype."""
    errors: dict[str, list[Any]] = {}
    for dtype in DTYPES:
        here = problem.in_dtype(dtype)
        array = here.array(element.name)
        with np.errstate(all="ignore"):
            quotients = [_quotient(here, array, element.index, step) for step in steps]
        errors[dtype] = [abs(quotient - element.backward) / element.scale for quotient in quotients]
    return StepCurve(element.name, tuple(steps), errors, element.kink)


def _quotient(problem, array, index, step):
    """The central difference, divided by the distance actually moved, as w + h is rounded too; NaN if h vanishes."""
    before = array[index]
    ahead, behind = (float(array.dtype.type(float(before) + move)) for move in (step, -step))
    if ahead == behind:
        return float("nan")
    return slope(problem, array, index, ahead - float(before), behind - float(before))
