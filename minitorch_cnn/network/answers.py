"""What the numbers at a network's end mean: probabilities or scores, classes or quantities."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.engine.activations import ACTIVATIONS
from minitorch_cnn.engine.layers import Dropout, Flatten, GlobalAveragePool2D, Reshape
from minitorch_cnn.engine.layers.activation_layers import ActivationLayer
from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError
from minitorch_cnn.errors import ArgumentError

PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")
LEAVE_THEM = (Dropout, Flatten, GlobalAveragePool2D, Reshape)  # probabilities stay probabilities behind these
LOSSES: dict[str, type[Loss]] = {"softmax": CrossEntropy, "sigmoid": BinaryCrossEntropy}


def last_layer(model: Any, number: int) -> Any:
    """The layer whose activation makes what value `number` of a built model means."""
    made = {node.output: node for node in model.nodes()}
    node = made[number]
    while _passes_on(node.layer) and node.inputs[0] in made:
        node = made[node.inputs[0]]
    return node.layer


def last_activation(model: Any, number: int) -> str | None:
    """The name of the activation that makes value `number`; None for a layer that ends in none."""
    return getattr(last_layer(model, number).activation, "name", None)


def require_probabilities(model: Any, number: int, loss: Any) -> None:
    """Raise ArgumentError if `loss` takes the logarithm of probabilities, and the model gives it scores.

    What a layer, an activation or a loss of one's own makes of its numbers is not known, so it is accepted.
    """
    loss = _inner(loss)
    follows, name = getattr(loss, "follows", None), last_activation(model, number)
    own = type(loss).value_and_gradient is not Loss.value_and_gradient
    if follows is None or own or name not in ACTIVATIONS or name in PROBABILITIES:
        return
    layer = last_layer(model, number).name
    raise ArgumentError(
        f"{type(loss).__name__}: expected probabilities from {layer}, got scores, because its activation is {name};"
        f' give it activation="{follows}", or add one: model.extend([layers.Activation("{follows}")])'
    )


def kind_of_accuracy(model: Any, number: int, shape: tuple, loss: Any) -> str | None:
    """How right answers are counted at value `number` of that shape (`training/counting.py`)."""
    loss = _inner(loss)
    if len(shape) != 1:
        return None
    if isinstance(loss, MeanSquaredError) and last_activation(model, number) not in PROBABILITIES:
        return None
    return "each" if shape[0] > 1 and getattr(loss, "follows", None) == "sigmoid" else "class"


def _passes_on(layer: Any) -> bool:
    unchanged = isinstance(layer, ActivationLayer) and layer.activation.name == "linear"
    return unchanged or isinstance(layer, LEAVE_THEM)


def _inner(loss: Any) -> Any:
    """The loss itself, of one that weights it."""
    while hasattr(inner := getattr(loss, "loss", None), "value_and_gradient"):
        loss = inner
    return loss
