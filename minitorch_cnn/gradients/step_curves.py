"""How far the difference quotient lies from a derivative, over the step h: the curve that shows why h is chosen so.

    (L(w + h) - L(w - h)) / 2h   =   dL/dw  +  h^2/6 d3L/dw3  +  rounding of L / h

A large h cuts the curve of L off (the first error), a small one drowns in the rounding of L (the second), so a right
gradient shows a V in a double logarithmic chart: its valley lies at h ~ 1e-5 in float64 and is shallow in float32,
which is why gradients are checked in float64. Where L has no third derivative in w the right arm is missing. A wrong
gradient shows a floor: no step brings the quotient nearer.
"""

from dataclasses import dataclass

import numpy as np

from minitorch_cnn.gradients.problem import slope

STEPS = tuple(10.0**-power for power in range(13))
DTYPES = ("float32", "float64")
FLOOR = 1e-5  # a valley in float64 that is not even this deep is the floor of a wrong gradient
CLIFF = 1e5  # an error that falls by so much from one step to the next does not follow h^2, which falls by 100


@dataclass
class StepCurve:
    """The errors of one number's difference quotients, in each dtype over each of `steps`.

    An error is the distance to what backward says, in the units of the check; NaN where it is no number.
    """

    name: str
    steps: tuple
    errors: dict  # dtype -> [error of each step]
    kink: bool = False

    def best(self, dtype="float64"):
        """(step, error) of the valley; NaN where no step gave a number."""
        finite = [(error, step) for error, step in zip(self.errors[dtype], self.steps) if np.isfinite(error)]
        error, step = min(finite, default=(float("nan"), float("nan")))
        return step, error

    @property
    def verdict(self):
        """What the curve says, in a few words."""
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
        return f"a V: cut off on the right, rounded on the left, best at h = {step:.0e}"

    def lines(self):
        """The table as text."""
        head = "  ".join(f"{step:5.0e}" for step in self.steps)
        rows = [f"step h   {head}"]
        for dtype in DTYPES:
            rows.append(f"{dtype}  " + "  ".join(f"{error:5.0e}" for error in self.errors[dtype]))
        return [*rows, self.verdict]


def step_curve(problem, element, steps=STEPS):
    """The StepCurve of one element of a gradient check, by two evaluations of L for every step and dtype."""
    errors = {}
    for dtype in DTYPES:
        here = problem.in_dtype(dtype)
        array = here.array(element.name)
        with np.errstate(all="ignore"):
            quotients = [_quotient(here, array, element.index, step) for step in steps]
        errors[dtype] = [abs(quotient - element.backward) / element.scale for quotient in quotients]
    return StepCurve(element.name, tuple(steps), errors, element.kink)


def _quotient(problem, array, index, step):
    """The central difference over the distance that was really made: w + h is rounded too. NaN where h vanishes."""
    before = array[index]
    ahead, behind = (float(array.dtype.type(float(before) + move)) for move in (step, -step))
    if ahead == behind:
        return float("nan")
    return slope(problem, array, index, ahead - float(before), behind - float(before))
