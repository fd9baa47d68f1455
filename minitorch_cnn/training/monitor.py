"""Watching one number of the history: is an epoch better than the best one before?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitorch_cnn.arguments import at_least_zero, shown
from minitorch_cnn.errors import ArgumentError

MODES = ("auto", "min", "max")


class Monitor:
    """Compares the value called `name` of each epoch with the best one so far, by more than `min_delta`.

    `mode` "min" says that a lower value is better, "max" a higher one; "auto" takes "max" for a name that ends in
    "accuracy" and otherwise "min". `owner` begins the messages.
    """

    def __init__(self, name: str, mode: str, min_delta: float, owner: str) -> None:
        if not isinstance(name, str):
            raise ArgumentError(f"{owner}: monitor: expected a name in the history, got {shown(name)}")
        if mode not in MODES:
            raise ArgumentError(f"{owner}: mode: expected one of {', '.join(MODES)}, got {shown(mode)}")
        self.name, self.owner = name, owner
        self.sign = 1 if mode == "max" or (mode == "auto" and name.endswith("accuracy")) else -1
        self.min_delta = at_least_zero(min_delta, f"{owner}: min_delta")

    def check(self, trainer: Any) -> None:
        """ArgumentError, before the first epoch, if there will be no value of that name.

        A callback of one's own may add other names to the results, so then only those of a validation are checked.
        """
        if self.name.startswith("val_") and trainer.validation is None:
            advice = "give fit a validation, or monitor 'loss'"
            raise ArgumentError(f"{self.owner}: monitors {self.name!r}, but there is no validation; {advice}")
        if only_of_package(trainer.callbacks):
            self.value(dict.fromkeys(trainer.names_of_results(), 0.0))

    def value(self, results: dict[str, float]) -> float:
        """The value of an epoch; ArgumentError, which lists the names, if there is none of that name."""
        if self.name not in results:
            names = ", ".join(results)
            raise ArgumentError(f"{self.owner}: expected one of {names} to monitor, got {self.name!r}")
        return results[self.name]

    def better(self, value: float, best: float | None) -> bool:
        """Whether `value` improves on `best`, the best one so far."""
        return best is None or self.sign * value > self.sign * best + self.min_delta


def only_of_package(callbacks: Iterable[Any]) -> bool:
    """Whether no callback is one of the user's own, which may add other names to the results of an epoch."""
    package = __name__.partition(".")[0]
    return all(type(callback).__module__.partition(".")[0] == package for callback in callbacks)


def check_monitors(trainer: Any) -> None:
    """`check` the monitors of all callbacks that have one."""
    for callback in trainer.callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, Monitor):
            monitor.check(trainer)
