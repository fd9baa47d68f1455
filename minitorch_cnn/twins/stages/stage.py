"""The base class of the stages, each of which runs a few layers; one of them owns the parameters and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.dispatch import TWINS_ONLY, Unfit, what_runs
from minitorch_cnn.engine import activations, layers
from minitorch_cnn.engine.activations import relu_backward
from minitorch_cnn.engine.layers.by_hand import passes_of, replaced
from minitorch_cnn.engine.more_activations import BentReLU, bent_relu, bent_relu_backward

PASSES = ("forward_pass", "backward_pass", "check_input", "take_gradients")
SCORES = (*PASSES, "scores", "backward_scores")  # of layers that end in an activation
RELU: tuple = (  # what a stage replaces that runs a ReLU which is a layer of its own; the classes may inherit it
    *((kind, name) for kind in (layers.ReLU, layers.Activation) for name in SCORES),
    *((kind, name) for kind in (activations.ReLU, BentReLU) for name in ("forward", "backward")),
)  # fmt: skip


class Stage:
    """A stage whose parameters are those of the layer `owner`; `layers` are all that have parameters."""

    activation = None

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.layers = [owner]

    @property
    def name(self) -> str:
        """The owner's name, for messages."""
        return self.owner.name

    @property
    def learns(self) -> bool:
        """Whether the owner learns."""
        return self.owner.learns

    def take_gradients(self, gradients: dict[str, Array], add: bool = False) -> None:
        """Give the gradients to the owner."""
        self.owner.take_gradients(gradients, add)


def untouched(layer: Any) -> bool:
    """Whether no method of this one layer was replaced, nor `forward` or `backward` of its class."""
    return passes_of(layer) is layer and not replaced(layer)


def is_relu(layer: Any) -> bool:
    """Whether `layer` is an untouched ReLU layer, without a bend elsewhere than at zero."""
    return ceiling_of(layer) == math.inf


def ceiling_of(layer: Any) -> float | None:
    """The largest result of an untouched ReLU layer: infinity, or 6 for a ReLU6; None for any other layer."""
    if type(layer) not in (layers.ReLU, layers.Activation) or not untouched(layer):
        return None
    activation = layer.activation
    if type(activation) is activations.ReLU:
        return None if vars(activation) else math.inf
    if type(activation) is not BentReLU or vars(activation).keys() != {"name", "slope", "largest", "threshold"}:
        return None
    return activation.largest if activation.slope == activation.threshold == 0 else None


def limited(x: Array, ceiling: float | None) -> Array:
    """The ReLU of x, up to `ceiling`; x itself where that is None."""
    if ceiling is None:
        return x
    return activations.ReLU().forward(x) if ceiling == math.inf else bent_relu(x, 0.0, ceiling, 0.0)


def limited_backward(dy: Array, y: Any, ceiling: float | None) -> Array:
    """The gradient of that, from its result y."""
    if ceiling is None:
        return dy
    return relu_backward(dy, y) if ceiling == math.inf else bent_relu_backward(dy, y, 0.0, ceiling, 0.0)


def fast_version(function: Any, x: Array) -> Callable | None:
    """The twin of a definition for x; None where it has none, or where another function was put in its place."""
    return getattr(function, "twin_for", lambda x: None)(x)


def tried(twin: Callable | None, *args: Any, **kwargs: Any) -> Any:
    """What `twin` returns; None if there is no twin, or none for these arguments, and the layers have to run."""
    try:
        return None if twin is None else twin(*args, **kwargs)
    except Unfit:
        if what_runs() == TWINS_ONLY:
            raise
        return None
