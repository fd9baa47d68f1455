"""The learning-rate finder: which learning rate suits a network and its data? (Smith 2017, "Cyclical learning rates")

A short training in which the rate rises from step to step, each time by the same factor, until the loss explodes. While
the rate is too small the loss hardly moves; then it falls; then it rises. A good rate lies where it falls fastest, and
the rates from which it rises are too large.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.arguments import above_zero, whole
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.progress_bar import progress_bar
from minitorch_cnn.training.diagnosis import NotFinite
from minitorch_cnn.training.step import Step

SMOOTHING = 0.9  # the part of the moving average that stays at each step
EXPLODED = 4.0  # times the lowest smoothed loss: the end of the search
LAG = 3.0  # times the rate: about ten steps, by which a moving average of 0.9 lags, at twenty steps per power of ten
FEWEST = 10  # steps; with fewer there is no curve
FELL = 0.98  # the lowest smoothed loss over the first; above, the loss has not fallen


@dataclass(frozen=True)
class LearningRates:
    """The learning rate of each step, the loss of its batch before the update, and the moving average of the losses."""

    rates: list[float]
    losses: list[float]
    smoothed: list[float]

    @property
    def lowest(self) -> int:
        """The number of the step with the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate; None if it never falls.

        The moving average lags behind, so it is at most a third of the rate at which the smoothed loss is lowest.
        """
        if self.lowest < 2 or self.smoothed[self.lowest] > FELL * self.smoothed[0]:
            return None
        slopes = np.gradient(self.smoothed[: self.lowest + 1], np.log(self.rates[: self.lowest + 1]))
        return min(self.rates[int(np.argmin(slopes))], self.rates[self.lowest] / LAG)


def find_learning_rate(
    model: Any, x: Any, labels: Any, optimizer: Any, *, loss: Any = None, lowest: float = 1e-5, highest: float = 1.0,
    steps: int = 100, batch_size: int = 32, augment: Callable | None = None, seed: int = 0, workers: int = 2,
    progress: bool = False,
) -> LearningRates:  # fmt: skip
    """Train for up to `steps` batches while the learning rate rises from `lowest` to `highest`; then restore the model.

    Arguments: a built `model`; `x`, `labels`, `loss`, `augment`, `batch_size`, `seed` and `workers` as for `fit`; a new
    `optimizer`, whose learning rate does not matter. It ends early when the smoothed loss is four times its lowest
    value, or no longer finite. Raises ArgumentError for fewer than 10 steps or if `highest` is not above `lowest`.
    """
    lowest, highest = above_zero(lowest, "lowest"), above_zero(highest, "highest")
    steps = whole(steps, "steps", FEWEST)
    if highest <= lowest:
        raise ArgumentError(f"highest: expected a learning rate above the lowest, {lowest:g}, got {highest:g}")
    transform = model.receive if model.backend == "numpy" else None
    batches = Batches(x, labels, batch_size, seed=seed, augment=augment, transform=transform, workers=workers)
    step = Step(model, model.default_loss() if loss is None else loss, optimizer)
    before = {key: value.copy() if hasattr(value, "copy") else value for key, value in model.state().items()}
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    try:
        with progress_bar(total=steps, unit=" steps", desc="learning rates", disable=not progress) as bar:
            for number, batch in enumerate(itertools.islice(_endless(batches), steps)):
                rate = lowest * (highest / lowest) ** (number / (steps - 1))
                optimizer.learning_rate = rate
                try:
                    value = float(step(*batch)[0])
                except NotFinite:
                    break
                average = SMOOTHING * average + (1 - SMOOTHING) * value
                smooth = average / (1 - SMOOTHING ** (number + 1))  # without this it would begin at 0
                if not math.isfinite(smooth):
                    break
                rates.append(rate)
                losses.append(value)
                smoothed.append(smooth)
                bar.update(1)
                if number >= FEWEST and smooth > EXPLODED * min(smoothed):
                    break
    finally:
        model.load_state(before)
    if not rates:
        raise ArgumentError(f"the loss of the first batch is not finite at a learning rate of {lowest:g}")
    return LearningRates(rates, losses, smoothed)


def _endless(batches: Batches) -> Iterator[tuple]:
    for epoch in itertools.count():
        yield from batches.epoch(epoch)
