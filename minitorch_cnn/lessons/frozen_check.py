"""Do frozen layers stay frozen? Make one training step and compare every frozen weight with its old value, bit by bit.

A gradient check cannot answer this. The gradient of a frozen layer may be right and still must not be applied, and
weight decay and momentum from earlier steps move weights without any gradient.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.losses import Loss
from minitorch_cnn.engine.optimizer import Optimizer
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.sequential import Sequential


@dataclass
class FrozenReport:
    """What a frozen check found: frozen arrays that moved, unneeded gradients, trainable arrays that did not move."""

    moved: dict[str, float] = field(default_factory=dict)  # "layer/name" -> the largest change of a single weight
    gradients: list[str] = field(default_factory=list)  # frozen layers that hold a gradient
    still: list[str] = field(default_factory=list)  # trainable arrays that did not move

    @property
    def passed(self) -> bool:
        """Whether every frozen weight is bit for bit what it was before the step."""
        return not self.moved

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [
            f"frozen layers {'keep their weights' if self.passed else 'DO NOT KEEP their weights'} in a training step"
        ]
        lines += [
            f"  BAD {name} is frozen and moved by up to {far:.1e}: an optimizer must skip frozen layers,"
            " also for weight decay and momentum"
            for name, far in self.moved.items()
        ]
        lines += [f"  note {name} is frozen but has a gradient: computing it is wasted work" for name in self.gradients]
        lines += [f"  note {name} is trainable and did not move" for name in self.still]
        return "\n".join(lines)


def frozen_check(
    model: Sequential, x: Array, labels: ArrayLike, optimizer: Optimizer, loss: Loss | None = None
) -> FrozenReport:
    """Make one training step of `model`, which changes it, and report whether its frozen layers kept their weights.

    Arguments: `model` with at least one frozen layer; images `x` (N, ...) and `labels` as for `train_step`; the
    `optimizer`; the `loss`, by default the one that matches the last activation. Returns a FrozenReport. Raises
    ArgumentError if no layer is frozen.
    """
    frozen = {layer.name for layer in model.layers if layer.parameters and not layer.trainable}
    if not frozen:
        raise ArgumentError("frozen_check: expected a model with a frozen layer, got none")
    before = {key: np.array(value) for key, value in model.state().items() if key[1] != "draws"}
    model.train_step(x, labels, loss or model.default_loss(), optimizer)
    report = FrozenReport()
    for layer in model.layers:
        if layer.name in frozen and len(layer.gradients):
            report.gradients.append(layer.name)
        for name, array in layer.parameters.items():
            same = np.array_equal(before[layer.name, name], array, equal_nan=True)
            if layer.name in frozen and not same:
                report.moved[f"{layer.name}/{name}"] = float(np.abs(array - before[layer.name, name]).max())
            elif layer.name not in frozen and same and name in layer.trained():
                report.still.append(f"{layer.name}/{name}")
    return report
