"""Learning-rate schedules: the rate is a function of the step alone, so a resumed run continues with the right rate.

Each is called with the number of the step about to be taken (0, 1, 2, ...) and returns the learning rate.
"""

import math
from typing import Any

from minitorch_cnn.arguments import above_zero, at_least_zero, number, whole


class Schedule:
    """Base class; the constructor stores its arguments as attributes of the same names, which `config()` returns."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__}: define __call__(step)")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class Constant(Schedule):
    """Always `learning_rate`."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = at_least_zero(learning_rate, "Constant: learning_rate")

    def __call__(self, step: int) -> float:
        return self.learning_rate


class Step(Schedule):
    """`learning_rate`, multiplied by `factor` after every `every` steps."""

    def __init__(self, learning_rate: float, every: int, factor: float = 0.1) -> None:
        self.learning_rate = at_least_zero(learning_rate, "Step: learning_rate")
        self.every, self.factor = whole(every, "Step: every"), at_least_zero(factor, "Step: factor")

    def __call__(self, step: int) -> float:
        return self.learning_rate * self.factor ** (step // self.every)


class Cosine(Schedule):
    """From `learning_rate` down to `final` along half a cosine over `steps` (Loshchilov and Hutter 2017)."""

    def __init__(self, learning_rate: float, steps: int, final: float = 0.0) -> None:
        self.learning_rate = at_least_zero(learning_rate, "Cosine: learning_rate")
        self.steps, self.final = whole(steps, "Cosine: steps"), at_least_zero(final, "Cosine: final")

    def __call__(self, step: int) -> float:
        return _half_cosine(self.learning_rate, self.final, step / self.steps)


class OneCycle(Schedule):
    """Up to `maximum` in the first part `warmup` of `steps`, then down to nearly zero (Smith and Topin 2018).

    It starts at maximum / `start_divisor` and ends at that / `end_divisor`; both parts follow half a cosine.
    """

    def __init__(
        self, maximum: float, steps: int, warmup: float = 0.3, start_divisor: float = 25.0, end_divisor: float = 1e4
    ) -> None:
        self.maximum, self.steps = at_least_zero(maximum, "OneCycle: maximum"), whole(steps, "OneCycle: steps")
        self.warmup = number(warmup, "OneCycle: warmup", "a number in [0, 1]", lambda v: 0 <= v <= 1)
        self.start_divisor = above_zero(start_divisor, "OneCycle: start_divisor")
        self.end_divisor = above_zero(end_divisor, "OneCycle: end_divisor")

    def __call__(self, step: int) -> float:
        start = self.maximum / self.start_divisor
        peak = self.warmup * self.steps
        if step < peak:
            return _half_cosine(start, self.maximum, step / peak)
        return _half_cosine(self.maximum, start / self.end_divisor, (step - peak) / max(self.steps - peak, 1))


class Triangle(Schedule):
    """In a straight line from `start` x `maximum` up to `maximum` in the first part `warmup` of `steps`, then down.

    It ends at `final` x `maximum`.
    """

    def __init__(
        self, maximum: float, steps: int, warmup: float = 0.2, start: float = 0.2, final: float = 0.0
    ) -> None:  # fmt: skip
        self.maximum, self.steps = at_least_zero(maximum, "Triangle: maximum"), whole(steps, "Triangle: steps")
        self.warmup = number(warmup, "Triangle: warmup", "a number in [0, 1]", lambda v: 0 <= v <= 1)
        self.start, self.final = at_least_zero(start, "Triangle: start"), at_least_zero(final, "Triangle: final")

    def __call__(self, step: int) -> float:
        peak = self.warmup * self.steps
        if step < peak:
            return self.maximum * (self.start + (1 - self.start) * step / peak)
        share = min((step - peak) / max(self.steps - peak, 1), 1.0)
        return self.maximum * (1 + (self.final - 1) * share)


SCHEDULES = {schedule.__name__: schedule for schedule in (Constant, Step, Cosine, OneCycle, Triangle)}


def _half_cosine(first, last, share):
    share = min(max(share, 0.0), 1.0)
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
