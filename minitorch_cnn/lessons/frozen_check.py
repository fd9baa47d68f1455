"""Does freezing hold? One training step, and every frozen number is compared with what it was, bit by bit.

A gradient check cannot see this: the gradient of a frozen layer may be right and still must not be applied, and weight
decay and old momentum move weights without any gradient.
"""

from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.errors import ArgumentError


@dataclass
class FrozenReport:
    """What a training step did: frozen arrays that moved, gradients nobody needed, and arrays that learned nothing."""

    moved: dict = field(default_factory=dict)  # "layer/name" -> how far, the number that moved most
    gradients: list = field(default_factory=list)  # frozen layers that hold a gradient
    still: list = field(default_factory=list)  # trainable arrays that did not move

    @property
    def passed(self):
        """Whether every frozen number is the same bits as before."""
        return not self.moved

    def __bool__(self):
        return self.passed

    def __str__(self):
        lines = [
            f"frozen layers {'stay as they were' if self.passed else 'DO NOT STAY as they were'} in a training step"
        ]
        lines += [
            f"  BAD {name} is frozen and moved by up to {far:.1e}: an optimizer must leave out what is frozen,"
            " weight decay and momentum included"
            for name, far in self.moved.items()
        ]
        lines += [f"  note {name} is frozen and has a gradient: work that nobody needs" for name in self.gradients]
        lines += [f"  note {name} learns and did not move" for name in self.still]
        return "\n".join(lines)


def frozen_check(model, x, labels, optimizer, loss=None):
    """Make one training step of `model`, which changes it, and say whether its frozen layers stayed as they were.

    Arguments: `model` a Sequential with a frozen layer; `x` (N, ...) and `labels` as for `train_step`; `optimizer`;
    `loss` left out is the one that belongs to the last activation. Returns a FrozenReport; ArgumentError where nothing
    is frozen.
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
