"""All parameters of a model in one long vector; the layers hold views of it.

    vector:   | conv2d_1/kernel | conv2d_1/bias | conv2d_2/kernel | ... | dense_2/bias |
                      ^ layer.parameters["kernel"] is this part, in the kernel's shape

So a step of an optimizer is one pass over a few long vectors, no matter how many layers there are. Trainable parameters
have a second vector for their gradients; frozen parameters have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np

from minitorch_cnn.arguments import flag
from minitorch_cnn.arrays import Array, moved, namespace, on_host


@dataclass
class Segment:
    """A range of neighbouring trainable parameters and their gradients, which has the same length."""

    parameters: Array  # 1-D, a view of the model's vector
    gradients: Array  # 1-D
    spans: dict[tuple[str, str], tuple[int, int]]  # (layer name, parameter name): (start, stop) within the segment

    def split(self, label: Callable[[tuple[str, str]], Any]) -> list[tuple[Any, Segment]]:
        """[(label, Segment)]: the parts in which `label((layer name, parameter name))` is the same, as views."""
        pieces = []
        for value, group in groupby(self.spans.items(), lambda item: label(item[0])):
            spans = dict(group)
            first, last = min(start for start, _ in spans.values()), max(stop for _, stop in spans.values())
            moved = {key: (start - first, stop - first) for key, (start, stop) in spans.items()}
            pieces.append((value, Segment(self.parameters[first:last], self.gradients[first:last], moved)))
        return pieces

    def reshaped(self, shape: tuple[int, ...]) -> Segment:
        """The same parameters and gradients in this shape, as views."""
        return Segment(self.parameters.reshape(shape), self.gradients.reshape(shape), self.spans)


class ParameterVector:
    """The vector behind `layers` (built, in order); layer i draws its initial values from `default_rng([seed, i])`.

    A layer that has values of the right shapes already, because it was in another model, keeps them.
    """

    def __init__(self, layers: Sequence[Any], dtype: Any, seed: int) -> None:
        self.layers = layers
        self.spans: dict[tuple[str, str], tuple[int, int]] = {}
        size = 0
        for layer in layers:
            for name, shape in layer.parameter_shapes().items():
                if name not in layer.statistics:
                    self.spans[layer.name, name] = (size, size + math.prod(shape))
                    size += math.prod(shape)
        self._values: Array = np.empty(size, dtype)
        for index, layer in enumerate(layers):
            shapes = layer.parameter_shapes()
            storage = {
                name: self._view(layer.name, name, shapes[name]) for name in shapes if (layer.name, name) in self.spans
            }
            kept = dict(layer.parameters)
            if kept and {name: array.shape for name, array in kept.items()} == shapes:
                for name, array in kept.items():
                    target = storage.get(name, np.empty(array.shape, dtype))
                    target[...] = on_host(array)
                    layer.parameters.rebind(name, target)
            else:
                layer.initialize(np.random.default_rng([seed, index]), dtype, storage)
        self._trainable: tuple | None = None
        self._segments: list[Segment] = []

    @property
    def values(self) -> Array:
        """The long vector, with all initial values drawn."""
        for layer in self.layers:
            _ = layer.parameters
        return self._values

    def move(self, xp: ModuleType) -> None:
        """Move the vector and the layers' other arrays to the namespace `xp`; the gradients are made again there."""
        self._values = moved(self.values, xp)
        for layer in self.layers:
            layer.move(xp)
            for name, shape in layer.parameter_shapes().items():
                if (layer.name, name) in self.spans:
                    layer.parameters.rebind(name, self._view(layer.name, name, shape))
        self._trainable = None

    def _view(self, layer, name, shape):
        start, stop = self.spans[layer, name]
        return self._values[start:stop].reshape(shape)

    def segments(self) -> list[Segment]:
        """The trainable segments, and bind the layers' `gradients` to them.

        It is the same list until a layer's `trainable` changes; ArgumentError if that is not True or False.
        """
        trainable = tuple(layer.trainable for layer in self.layers)
        if trainable == self._trainable:
            return self._segments
        for layer in self.layers:
            flag(layer.trainable, f"{layer.name}: trainable")
        stretches: list = []  # [start, stop, {key: (start, stop)}] in the long vector
        for layer in self.layers:
            layer._gradients.clear()
            for name in layer.parameter_shapes():
                if layer.trainable and (layer.name, name) in self.spans:
                    start, stop = self.spans[layer.name, name]
                    if not stretches or stretches[-1][1] != start:
                        stretches.append([start, start, {}])
                    stretches[-1][2][layer.name, name] = (start - stretches[-1][0], stop - stretches[-1][0])
                    stretches[-1][1] = stop
        segments = []
        by_name = {layer.name: layer for layer in self.layers}
        for start, stop, spans in stretches:
            gradients = namespace(self._values).zeros(stop - start, dtype=self._values.dtype)
            segment = Segment(self._values[start:stop], gradients, spans)
            for (layer, name), (first, last) in spans.items():
                shape = by_name[layer].parameters[name].shape
                by_name[layer].gradients.rebind(name, segment.gradients[first:last].reshape(shape))
            segments.append(segment)
        self._trainable, self._segments = trainable, segments
        return segments
