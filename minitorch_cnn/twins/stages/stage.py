"""The base class of the stages: each begins with a convolution, which owns the parameters and gradients."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.layers.by_hand import passes_of

METHODS = {"forward_pass", "backward_pass", "scores", "backward_scores"}


class Stage:
    """A stage that begins with the layer `conv`."""

    activation = None

    def __init__(self, conv: Any) -> None:
        self.conv = conv

    @property
    def name(self) -> str:
        """The convolution's name, for messages."""
        return self.conv.name

    @property
    def learns(self) -> bool:
        """Whether the convolution learns; no other layer of a stage has parameters."""
        return self.conv.learns

    def take_gradients(self, gradients: dict[str, Array], add: bool = False) -> None:
        """Give the gradients to the convolution."""
        self.conv.take_gradients(gradients, add)


def untouched(layer: Any) -> bool:
    """Whether no method of this one layer was replaced, nor `forward` or `backward` of its class."""
    return passes_of(layer) is layer and not vars(layer).keys() & METHODS
