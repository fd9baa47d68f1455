"""What the numbers at a network's end mean: probabilities, or scores that no softmax or sigmoid has been applied to."""

from typing import Any

from minitorch_cnn.engine.layers import Dropout, Flatten, GlobalAveragePool2D, Reshape
from minitorch_cnn.errors import ArgumentError

PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")
LEAVE_THEM = (Dropout, Flatten, GlobalAveragePool2D, Reshape)  # probabilities stay probabilities behind these


def gives_probabilities(model: Any) -> bool:
    """Whether the only output of a built model is made by a softmax or sigmoid."""
    made = {node.output: node for node in model.nodes()}
    node = made[model.ends[0]]
    while isinstance(node.layer, LEAVE_THEM) and node.inputs[0] in made:
        node = made[node.inputs[0]]
    return getattr(node.layer.activation, "name", None) in PROBABILITIES


def require_answer(name: str, model: Any) -> None:
    """Raise ArgumentError unless class numbers are labels for the model: it ends in a softmax, or in one sigmoid."""
    last = model.last_layers()[0]
    activation = getattr(last.activation, "name", None)
    if activation == "softmax" or (activation == "sigmoid" and model.output_shape == (1,)):
        return
    ends = f"{type(last).__name__}{f' with {activation}' if activation else ''}, {_outputs(model.output_shape[0])}"
    raise ArgumentError(
        f"{name}: explain needs a last layer with softmax, or with sigmoid and one output, got {last.name} ({ends});"
        ' model.extend([Activation("softmax")]) adds one'
    )


def _outputs(count: int) -> str:
    return "1 output" if count == 1 else f"{count} outputs"
