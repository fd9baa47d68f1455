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
from minitorch_cnn.datasets.preprocessing import received_already
from minitorch_cnn.engine.schedules import Constant
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.progress_bar import progress_bar
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.diagnosis import NotFinite
from minitorch_cnn.training.facts import is_number
from minitorch_cnn.training.step import Step

SMOOTHING = 0.9  # the part of the moving average that stays at each step
EXPLODED = 4.0  # times the lowest smoothed loss: the end of the search
LAG = 3.0  # times the rate: about ten steps, by which a moving average of 0.9 lags, at twenty steps per power of ten
SETTLED = 10  # steps, after which the moving average hardly depends on single losses
AROUND = 5  # steps before and after a step, between which the slope is measured
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

        The slope at a step is that of the steps around it. The first steps do not count, because the moving average of
        so few losses rises and falls by chance. As it lags behind, the suggestion is at most a third of the rate at
        which the smoothed loss is lowest.
        """
        if self.lowest < 2 or self.smoothed[self.lowest] > FELL * self.smoothed[0]:
            return None
        steps = np.arange(min(SETTLED, self.lowest // 2), self.lowest + 1)
        before, after = np.maximum(steps - AROUND, 0), np.minimum(steps + AROUND, self.lowest)
        fall = np.asarray(self.smoothed)[after] - np.asarray(self.smoothed)[before]
        slopes = fall / np.log(np.asarray(self.rates)[after] / np.asarray(self.rates)[before])
        return min(self.rates[steps[int(np.argmin(slopes))]], self.rates[self.lowest] / LAG)


def checked_search(lowest: float, highest: float, steps: int, owner: str = "") -> tuple[float, float, int]:
    """The rates and the number of steps of a search in their plain types; ArgumentError, begun by `owner`, if wrong."""
    lowest, highest = above_zero(lowest, f"{owner}lowest"), above_zero(highest, f"{owner}highest")
    if highest <= lowest:
        raise ArgumentError(f"{owner}highest: expected a learning rate above the lowest, {lowest:g}, got {highest:g}")
    return lowest, highest, whole(steps, f"{owner}steps", FEWEST)


def find_learning_rate(
    model: Any, x: Any, labels: Any, optimizer: Any, *, loss: Any = None, lowest: float = 1e-5, highest: float = 1.0,
    steps: int = 100, batch_size: int = 32, augment: Callable | None = None, seed: int = 0, workers: int = 2,
    progress: bool = False, learner: Any = None,
) -> LearningRates:  # fmt: skip
    """Train for up to `steps` batches while the learning rate rises from `lowest` to `highest`; then restore the model.

    Arguments: a built `model`; `x`, `labels`, `loss`, `augment`, `batch_size`, `seed` and `workers` as for `fit`; a new
    `optimizer`, whose learning rate does not matter; `learner` the part of the model that sees x, if x are the features
    of a frozen base. It ends early when the smoothed loss is four times its lowest value, or no longer finite.

    Raises ArgumentError for fewer than 10 steps or if `highest` is not above `lowest`.
    """
    lowest, highest, steps = checked_search(lowest, highest, steps)
    learner = learner or model
    transform = learner.receive if model.backend == "numpy" else None
    batches = Batches(x, labels, batch_size, seed=seed, augment=augment, transform=transform, workers=workers)
    step = Step(model, model.default_loss() if loss is None else loss, optimizer, learner)
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
                    with received_already():
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


class LRFinder(Callback):
    """Before training, find a learning rate with `find_learning_rate` on what will be trained, and train with it.

    Arguments: `lowest`, `highest` and `steps` of the search. Afterwards `found` has its losses, and `rate` is the rate.
    The weights are those from before the search, so it changes nothing else, and a resumed training searches no more.
    The optimizer needs a constant learning rate: ArgumentError for a schedule, and where the loss fell at no rate.
    """

    def __init__(self, lowest: float = 1e-5, highest: float = 1.0, steps: int = 100) -> None:
        self.lowest, self.highest, self.steps = checked_search(lowest, highest, steps, "LRFinder: ")
        self.reset()

    def reset(self) -> None:
        self.rate: float | None = None
        self.found: LearningRates | None = None

    def on_train_begin(self, trainer: Any) -> None:
        if not isinstance(trainer.optimizer.schedule, Constant):
            raise ArgumentError(f"LRFinder: expected a constant learning rate, got {trainer.optimizer.schedule}")
        if self.rate is None:
            self.rate = trainer.ranks.from_first(lambda: self._search(trainer))
        trainer.optimizer.learning_rate = self.rate

    def _search(self, trainer):
        optimizer, batches = type(trainer.optimizer)(1.0, **trainer.optimizer.config()), trainer.batches
        self.found = find_learning_rate(
            trainer.model, batches.images, batches.labels, optimizer, loss=trainer.loss, lowest=self.lowest,
            highest=self.highest, steps=self.steps, batch_size=trainer.at_once, augment=batches.augment,
            seed=batches.seed, workers=batches.workers, progress=trainer.progress, learner=trainer.learner,
        )  # fmt: skip
        if self.found.suggestion is None:
            top = self.found.rates[-1]
            raise ArgumentError(
                f"LRFinder: the loss fell at no learning rate up to {top:.2g}; try others or more steps"
            )
        return self.found.suggestion

    def state(self) -> tuple[dict, dict[str, Any]]:
        return {}, {"rate": self.rate}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        if not is_number(facts["rate"]) or not 0 < facts["rate"] < math.inf:
            raise ValueError("LRFinder: its learning rate is not valid")
        self.rate = facts["rate"]


def _endless(batches: Batches) -> Iterator[tuple]:
    for epoch in itertools.count():
        yield from batches.epoch(epoch)
