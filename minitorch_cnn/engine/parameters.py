"""All parameters of a model in one long vector; the layers hold views of it.

    vector:   | conv2d_1/kernel | conv2d_1/bias | conv2d_2/kernel | ... | dense_2/bias |
                      ^ layer.parameters["kernel"] is this stretch, in the kernel's shape

So an optimizer's step is one pass over a few stretches, whatever the number of layers. What is trainable has a second
vector for the gradients; what is frozen has none.
"""

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from minitorch_cnn.arrays import moved, namespace, on_host


@dataclass
class Segment:
    """A stretch of neighbouring trainable parameters and, of the same length, their gradients."""

    parameters: np.ndarray  # 1-D, a view of the model's vector, in whatever library that is
    gradients: np.ndarray  # 1-D
    spans: dict  # (layer name, parameter name) -> (start, stop) within the stretch

    def split(self, label):
        """[(label, Segment)]: the stretches in which `label` ({layer name: anything}) is the same, as views."""
        pieces = []
        for value, group in groupby(self.spans.items(), lambda item: label[item[0][0]]):
            spans = dict(group)
            first, last = min(start for start, _ in spans.values()), max(stop for _, stop in spans.values())
            moved = {key: (start - first, stop - first) for key, (start, stop) in spans.items()}
            pieces.append((value, Segment(self.parameters[first:last], self.gradients[first:last], moved)))
        return pieces


class ParameterVector:
    """The vector behind `layers` (built, in order); draws their initial values, layer i from `default_rng([seed, i])`.

    A layer that comes with values of the right shapes, out of another model, keeps them.
    """

    def __init__(self, layers, dtype, seed):
        self.layers = layers
        self.spans = {}
        size = 0
        for layer in layers:
            for name, shape in layer.parameter_shapes().items():
                if name not in layer.statistics:
                    self.spans[layer.name, name] = (size, size + math.prod(shape))
                    size += math.prod(shape)
        self._values = np.empty(size, dtype)
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
        self._trainable = None
        self._segments = []

    @property
    def values(self):
        """The long vector, all of it drawn."""
        for layer in self.layers:
            _ = layer.parameters
        return self._values

    def move(self, xp):
        """Take the vector and what the layers keep beside it to the namespace `xp`; gradients begin anew there."""
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

    def segments(self):
        """The trainable stretches, the same list until a layer's `trainable` changes; binds the layers' `gradients`."""
        trainable = tuple(layer.trainable for layer in self.layers)
        if trainable == self._trainable:
            return self._segments
        stretches = []  # [start, stop, {key: (start, stop)}] in the long vector
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
