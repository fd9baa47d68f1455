"""A smaller learning rate where training no longer gets better."""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.arguments import at_least_zero, flag, number, whole
from minitorch_cnn.engine.schedules import Constant
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.facts import is_number, is_whole
from minitorch_cnn.training.monitor import Monitor
from minitorch_cnn.training.progress import say

NAME = "ReduceLROnPlateau"


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` when `monitor` has not improved for `patience` epochs, as in Keras.

    Arguments: an epoch is better if it improves on the best one by more than `min_delta`; `mode` "min", "max" or "auto"
    (a name that ends in "accuracy" should rise, any other fall); after a reduction `cooldown` epochs pass before epochs
    are counted again; the rate does not fall below `min_lr`; with `verbose` a line says when it falls.

    The optimizer needs a constant learning rate: ArgumentError, before the first epoch, for a schedule. A resumed
    training continues with the rate that it had.
    """

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: str = "auto",
        min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0,
    ) -> None:  # fmt: skip
        self.monitor = Monitor(monitor, mode, min_delta, NAME)
        self.factor = number(factor, f"{NAME}: factor", "a number above 0 and below 1", lambda v: 0 < v < 1)
        self.patience = whole(patience, f"{NAME}: patience", 0)
        self.cooldown = whole(cooldown, f"{NAME}: cooldown", 0)
        self.min_lr = at_least_zero(min_lr, f"{NAME}: min_lr")
        self.verbose = flag(verbose, f"{NAME}: verbose")
        self.reset()

    def reset(self) -> None:
        self.best: float | None = None
        self.waited, self.cooling = 0, 0  # epochs without improvement, and epochs that are still not counted
        self.rate: float | None = None  # the learning rate now

    def on_train_begin(self, trainer: Any) -> None:
        self.monitor.check(trainer)
        if not isinstance(trainer.optimizer.schedule, Constant):
            raise ArgumentError(f"{NAME}: expected a constant learning rate, got {trainer.optimizer.schedule}")
        if self.rate is not None:  # resumed
            trainer.optimizer.learning_rate = self.rate
        self.rate = float(trainer.optimizer.learning_rate)

    def on_epoch_end(self, trainer: Any, results: dict[str, float]) -> None:
        value = self.monitor.value(results)
        if self.cooling:
            self.cooling, self.waited = self.cooling - 1, 0
        if self.monitor.better(value, self.best):
            self.best, self.waited = value, 0
        elif not self.cooling:
            self.waited += 1
            if self.waited >= self.patience:
                self._reduce(trainer)

    def _reduce(self, trainer):
        before = float(trainer.optimizer.learning_rate)
        if before > self.min_lr:
            self.rate = max(before * self.factor, self.min_lr)
            trainer.optimizer.learning_rate = self.rate
            self.waited, self.cooling = 0, self.cooldown
            if self.verbose and trainer.ranks.reports:
                say(f"epoch {trainer.epoch + 1}: {NAME}: the learning rate is {self.rate:g} from here on")

    def state(self) -> tuple[dict, dict[str, Any]]:
        return {}, {"best": self.best, "waited": self.waited, "cooling": self.cooling, "rate": self.rate}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        best, waited, cooling, rate = (facts[name] for name in ("best", "waited", "cooling", "rate"))
        good = is_whole(waited) and is_whole(cooling) and is_number(rate) and 0 <= rate < math.inf
        if not good or not (best is None or is_number(best)):
            raise ValueError(f"{NAME}: its best value, its learning rate or its number of epochs is not valid")
        self.best, self.waited, self.cooling, self.rate = best, waited, cooling, rate
