"""Layers written with `forward` and `backward` alone, which keep what they need in `self.cache`.

    class Halve(Layer):
        def forward(self, x, training=False):
            self.cache = x
            return x / 2

        def backward(self, dy, need_dx=True):
            return dy / 2

That is the shortest way to write a layer, and so is changing one method of a layer that is there:
`layers.Tanh.backward = mine`. A model runs such a layer with the methods as they stand. Because the layer remembers
only one pass, a model puts into it what this pass needs and takes it out again, one thread at a time.
"""

import functools
import inspect
import threading
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.arrays.locks import ForkLock
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer

_turn = ForkLock(threading.RLock)
_FORWARD, _BACKWARD = Layer.forward, Layer.backward
_METHODS = {"forward", "backward"}  # of the class, or of one layer


class ByHand:
    """The two passes of `layer`, made of its own `forward` and `backward`."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        """(y, kept) of `layer.forward`."""
        with _turn:
            before, self.layer.cache = self.layer.cache, None
            try:
                y = self.layer.forward(x, training)
                return y, self.layer.cache
            finally:
                self.layer.cache = before

    def backward_pass(self, dy: Array, kept: Any, need_dx: bool = True) -> Backward:
        """(dx, gradients) of `layer.backward`."""
        layer = self.layer
        with _turn:
            before, gradients = layer.cache, layer._gradients
            layer.cache, layer._gradients = kept, {}
            try:
                dx = layer.backward(dy, need_dx)
                return dx, layer._gradients
            finally:
                layer.cache, layer._gradients = before, gradients


def passes_of(layer: Any) -> Any:
    """What has the `forward_pass` and `backward_pass` of `layer`: the layer itself, or a ByHand around it."""
    if not isinstance(layer, Layer):
        return layer
    kind = type(layer)
    plain = kind.forward is _FORWARD and kind.backward is _BACKWARD and not layer.__dict__.keys() & _METHODS
    return layer if plain else ByHand(layer)


def replaced(layer: Any) -> bool:
    """Whether a method was replaced on this one layer: `layer.backward = mine`."""
    kind: Any = type(layer)
    return not vars(layer).keys().isdisjoint(_methods(kind))


@functools.cache
def _methods(kind: Any) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if inspect.isroutine(getattr(kind, name, None)))
