"""A layer or a model in float64 for the time of a check, and afterwards exactly as it was.

A copy would not do: a method that somebody has put into a layer often calls the one that was there before, and that one
belongs to this very layer. Beside a copy it would compute with other weights than the copy's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch_cnn.engine.values import Input
from minitorch_cnn.network.model import Model
from minitorch_cnn.network.passing import LastPass


def model_of(layer: Any, input_shape: tuple) -> Model:
    """A float64 model that consists of `layer`, which is then a part of it, with the parameters that it has."""
    parameters, key = dict(layer.parameters), layer.key
    layer.input_shape = layer.output_shape = None
    layer.in_model, layer.named_by_user = False, True
    layer._arrays = {}
    several = isinstance(input_shape[0], tuple)
    inputs = [Input(shape) for shape in (input_shape if several else [input_shape])]
    model = Model(inputs, layer(inputs if several else inputs[0]), seed=0, dtype="float64")
    if layer.random:
        layer.key = key
    for name, array in parameters.items():
        layer.parameters[name] = array
    return model


@contextlib.contextmanager
def in_float64(subject: Any, input_shape: Any = None) -> Iterator[Model]:
    """Yield the model itself, or a model that consists of the layer itself, built for `input_shape`, in float64."""
    is_model = isinstance(subject, Model)
    layers = list(subject.layers) if is_model else [subject]
    for layer in layers:
        _ = layer.parameters  # initial values are drawn once, before anything is remembered
    things = [subject, *layers] if is_model else layers
    before = [dict(vars(thing)) for thing in things]
    try:
        for layer in layers:
            layer._arrays, layer._gradients, layer.cache, layer.share = dict(layer._arrays), {}, None, None
        if is_model:
            subject.dtype, subject.prediction, subject._last = np.dtype("float64"), None, LastPass()
            subject._lay_out()
        yield subject if is_model else model_of(subject, input_shape)
    finally:
        for thing, attributes in zip(things, before):
            vars(thing).clear()
            vars(thing).update(attributes)
