"""Whether a network answers with probabilities, and whether class numbers are labels for it."""

from typing import Any

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import counted
from minitorch_cnn.network.answers import PROBABILITIES, last_activation


def gives_probabilities(model: Any) -> bool:
    """Whether the only output of a built model is made by a softmax or sigmoid."""
    return last_activation(model, model.ends[0]) in PROBABILITIES


def require_answer(name: str, model: Any) -> None:
    """Raise ArgumentError unless class numbers are labels for the model: it ends in a softmax, or in one sigmoid."""
    last = model.last_layers()[0]
    activation = getattr(last.activation, "name", None)
    if activation == "softmax" or (activation == "sigmoid" and model.output_shape == (1,)):
        return
    outputs = counted(model.output_shape[0], "output")
    ends = f"{type(last).__name__}{f' with {activation}' if activation else ''}, {outputs}"
    raise ArgumentError(
        f"{name}: explain needs a last layer with softmax, or with sigmoid and one output, got {last.name} ({ends});"
        ' model.extend([Activation("softmax")]) adds one'
    )
