"""Values: how a network with branches is written down.

    x = Input((32, 32, 3))
    y = Conv2D(16, 3, padding="same", activation="relu")(x)
    y = Add()([y, Conv2D(16, 1)(x)])                           x is read twice
    model = Model(x, Dense(10, activation="softmax")(GlobalAveragePool2D()(y)))

Nothing is computed here: a Value knows its shape, and which layer makes it from which other values. `order` turns them
into the nodes that the passes walk over.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError

_numbers = itertools.count()


class Value:
    """What a layer will make of other values, or an input; `shape` is without the batch axis."""

    def __init__(self, shape: tuple, layer: Any = None, inputs: Sequence[Value] = (), name: str | None = None) -> None:
        self.shape, self.layer, self.inputs, self.name = tuple(shape), layer, list(inputs), name
        self.number = next(_numbers)  # rises: a value is made after those that it is made of

    def __repr__(self) -> str:
        return f"Value({self.shape}, {'input' if self.layer is None else self.layer.name})"


def Input(shape: Sequence[int], name: str | None = None) -> Value:
    """An input of a network, for images of `shape` (H, W, C) or vectors (D,), without the batch axis."""
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    whole = all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in sizes)
    if not (sizes and whole and min(sizes) > 0):
        raise ArgumentError(f"Input: expected a shape of whole numbers such as (32, 32, 3), got {shape!r}")
    return Value(tuple(int(size) for size in sizes), name=name)


def connect(layer: Any, values: Any) -> Value:
    """The Value that `layer` makes of one value, or of a list of them.

    A layer that is called again shares its weights, and has to get the same shape. ShapeError if it does not fit.
    """
    inputs = list(values) if isinstance(values, (list, tuple)) else [values]
    for value in inputs:
        if not isinstance(value, Value):
            raise ArgumentError(f"{layer.name}: expected the result of Input or of a layer, got {type(value).__name__}")
    shape = inputs[0].shape if len(inputs) == 1 else tuple(value.shape for value in inputs)
    if layer.input_shape is None:
        layer.build(shape)
    elif layer.in_model:
        raise ArgumentError(f"{layer.name}: already belongs to a model; make a new layer for this one")
    elif layer.input_shape != shape:
        raise ShapeError(f"{layer.name}: is used twice, so it expects the same input {layer.input_shape}, got {shape}")
    return Value(layer.output_shape, layer, inputs)


def order(inputs: Sequence[Value], outputs: Sequence[Value]) -> list[Value]:
    """All values that `outputs` are made of, inputs first, each after those that it reads.

    Raises ArgumentError for an input that is missing, or that nothing depends on.
    """
    found, waiting = {}, list(outputs)
    while waiting:
        value = waiting.pop()
        if value.number not in found:
            found[value.number] = value
            waiting += value.inputs
    for value in inputs:
        if value.layer is not None or found.pop(value.number, None) is None:
            raise ArgumentError(f"Model: {value!r}: expected inputs that the outputs depend on")
    made = [found[number] for number in sorted(found)]
    for value in made:
        if value.layer is None:
            raise ArgumentError(f"Model: the outputs depend on {value!r}, which is not among the inputs")
    return [*inputs, *made]
