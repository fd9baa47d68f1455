"""The network that a description of plain values stands for.

A chain is described by its layers. A network with branches has `nodes` as well: for each, the index of its layer and
the numbers of the values that it reads, where the inputs are 0, 1, ... and each node makes the next; and `outputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.engine.values import Input, Value
from minitorch_cnn.errors import ArgumentError


def layers_of(config: dict) -> list[Any]:
    """The described layers, not built; ArgumentError for what is no layer of `layers/`."""
    stack = []
    for entry in config["layers"]:
        arguments = dict(entry)
        kind = arguments.pop("class", None)
        if kind not in layer_classes.__all__ or kind == "Layer":
            raise ArgumentError(f"model description: no layer is called {kind!r}")
        stack.append(getattr(layer_classes, kind)(**arguments))
    return stack


def values_of(config: dict) -> tuple[list[Value], list[Value]]:
    """(inputs, outputs) of the described network, whose layers are built; no array is made.

    ArgumentError for a node that reads what is not made before it.
    """
    stack, shape = layers_of(config), config["input_shape"]
    several = isinstance(shape[0], (list, tuple))
    inputs = [Input([int(size) for size in each]) for each in (shape if several else [shape])]
    if "nodes" not in config:
        value = inputs[0]
        for layer in stack:
            value = layer(value)
        return inputs, [value]
    values = list(inputs)
    for entry in config["nodes"]:
        index, read = entry
        layer, places = _one_of(stack, index), [_one_of(values, number) for number in read]
        values.append(layer(places if len(places) != 1 else places[0]))
    return inputs, [_one_of(values, number) for number in config["outputs"]]


def _one_of(known: Sequence[Any], number: Any) -> Any:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(known):
        raise ArgumentError(f"model description: expected a number from 0 to {len(known) - 1}, got {str(number)[:40]}")
    return known[number]
