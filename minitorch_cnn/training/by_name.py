"""Optimizers and losses by Keras's names for them: `fit(x, labels, optimizer="adam", loss="mse")`."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from minitorch_cnn.engine.optimizers import OPTIMIZERS
from minitorch_cnn.errors import ArgumentError

LOSS_NAMES: dict[str, type[Loss]] = {
    "categorical_crossentropy": CrossEntropy,
    "sparse_categorical_crossentropy": CrossEntropy,
    "binary_crossentropy": BinaryCrossEntropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}
OPTIMIZER_NAMES = {name.lower(): kind for name, kind in OPTIMIZERS.items()}


def optimizer_of(optimizer: Any) -> Any:
    """A new optimizer with its defaults for a name such as "sgd"; anything else as it is. ArgumentError lists them."""
    return _found(optimizer, OPTIMIZER_NAMES, "optimizer") if isinstance(optimizer, str) else optimizer


def loss_of(loss: Any) -> Any:
    """The loss called "mse" or the like, or a list of losses for one of names; anything else as it is."""
    if isinstance(loss, (list, tuple)):
        return [loss_of(each) for each in loss]
    return _found(loss, LOSS_NAMES, "loss") if isinstance(loss, str) else loss


def _found(name, names, what):
    if name.lower() not in names:
        raise ArgumentError(f"{what}: expected one of {', '.join(names)}, or an object, got {name!r:.60}")
    return names[name.lower()]()
