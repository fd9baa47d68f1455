"""Numbers the calls of nested models from 0, as files number the calls of all other layers.

A value is named by its layer and the number of the call. For a model inside a model, the libraries start at:

=====================  ======================  =====================================
writer                 where a layer reads it  where it is an output of the outer model
=====================  ======================  =====================================
Keras 3, Functional    0                       1
Keras 3, Sequential    0                       0
tf.keras and Keras 2   0 or 1                  the same as where a layer reads it
=====================  ======================  =====================================

The older ones count the making of most models as their call 0. A file does not say so, but it lists no unused calls, so
the highest number tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from minitorch_cnn.keras_h5.described import LayerDescription, Reference


def numbered_from_zero(
    layers: tuple[LayerDescription, ...], outputs: tuple[Reference, ...], keras_3: bool
) -> tuple[tuple[LayerDescription, ...], tuple[Reference, ...]]:
    """The layers and outputs of a model, with every call counted from 0; `keras_3` is whether Keras 3 wrote it."""
    nested = [layer for layer in layers if layer.network is not None]
    if not nested:
        return layers, outputs
    read = _numbers(each for layer in layers for call in layer.calls for each in call.inputs)
    given = _numbers(outputs)
    first_read, first_given = {}, {}
    for layer in nested:
        name, count = layer.name, len(layer.calls)
        inside, outside = read.get(name, set()), given.get(name, set())
        if keras_3:
            functional = layer.class_name != "Sequential"
            first_read[name] = _first(inside, count, 0)
            first_given[name] = _first(outside, count, int(functional))
        else:
            first_read[name] = first_given[name] = _first(inside | outside, count, 0)

    def counted(first: dict[str, int]) -> Callable[[Reference], Reference]:
        return lambda each: replace(each, call=each.call - first[each.layer]) if each.layer in first else each

    renumbered = tuple(
        replace(layer, calls=tuple(replace(call, inputs=tuple(map(counted(first_read), call.inputs)))
                                   for call in layer.calls))
        for layer in layers
    )  # fmt: skip
    return renumbered, tuple(map(counted(first_given), outputs))


def _numbers(references: Iterable[Reference]) -> dict[str, set[int]]:
    """{layer: the numbers of its calls that are named}."""
    found: dict[str, set[int]] = {}
    for each in references:
        found.setdefault(each.layer, set()).add(each.call)
    return found


def _first(numbers: set[int], count: int, usual: int) -> int:
    """The number of the first of `count` calls: the usual one, unless only the other of 0 and 1 fits the numbers."""
    fits = [first for first in (usual, 1 - usual) if all(first <= number < first + count for number in numbers)]
    return fits[0] if fits else usual
