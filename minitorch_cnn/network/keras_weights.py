"""Keras weight files of a model: what `keras_h5` needs to know about the model, and where the arrays go.

`keras_h5` knows files but no layers, and the layers know no files. This module connects them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import keras_h5
from minitorch_cnn.arrays import on_host

# Our layer classes that have a different name in Keras.
KERAS_CLASSES = {
    "AveragePool2D": "AveragePooling2D",
    "BatchNorm": "BatchNormalization",
    "GlobalAveragePool2D": "GlobalAveragePooling2D",
    "MaxPool2D": "MaxPooling2D",
    "Sigmoid": "Activation",
    "Tanh": "Activation",
    "ZeroPad2D": "ZeroPadding2D",
}


class KerasWeights:
    """The weight files of a `Sequential`."""

    def load_weights(
        self: Any, path: str | Path, by_name: bool = False, skip_mismatch: bool = False, **options: Any
    ) -> keras_h5.Loaded:
        """Load a Keras weight file of any dialect: all arrays that fit the model, or none.

        Layers are paired in order, or with `by_name` by equal names; `skip_mismatch` skips layers whose shapes differ.
        The other options are those of `keras_h5.load`, for old files that leave something open.

        Returns what was loaded: `result.report` says what came from where, with the fingerprints of the weights before
        and after; `result.skipped` names what was left out; `result.weights` are the model's own arrays. Raises
        WeightsError if the file is damaged or does not fit; the model's weights are then unchanged.
        """
        target, before = target_of(self), self.fingerprints_now()
        loaded = keras_h5.load(path, target, by_name, skip_mismatch, dtype=self.dtype, **options)
        for name, arrays in loaded.weights.items():
            self.get_layer(name).load(arrays)
        after = self.fingerprints_now()
        for row in loaded.report.layers:
            if row.goes_to in loaded.weights:
                row.before, row.fingerprint = before[row.goes_to], after[row.goes_to]
        return replace(loaded, weights={name: dict(self.get_layer(name).parameters) for name in loaded.weights})

    def save_weights(self: Any, path: str | Path) -> None:
        """Write the weights to a file that Keras can load, in float32.

        A name ending in .weights.h5 gives the format of Keras 3, any other .h5 the format that all versions read.
        Raises WeightsError if the file cannot be written, and then leaves an older file unchanged.
        """
        keras_h5.save(path, target_of(self), self._host_weights(self.layers))

    def fingerprints(self: Any) -> dict[str, str]:
        """{layer name: twelve hexadecimal digits} for layers with weights; equal weights give equal digits."""
        return {name: keras_h5.fingerprint(arrays) for name, arrays in self._host_weights(self.layers).items()}

    def fingerprints_now(self: Any) -> dict[str, str]:
        """Like `fingerprints`, but initial weights that have not been drawn yet are not drawn; they are "initial"."""
        self._require_built()
        drawn = [layer for layer in self.layers if layer._undrawn is None]
        arrays = self._host_weights(drawn)
        return {
            layer.name: keras_h5.fingerprint(arrays[layer.name]) if layer.name in arrays else "initial"
            for layer in self.layers
            if layer.parameter_shapes()
        }

    def keras_target(self) -> keras_h5.Target:
        """The model as `keras_h5` sees it; so `keras_h5.inspect(path, model)` accepts a model."""
        return target_of(self)

    def _host_weights(self: Any, layers: Iterable) -> dict[str, dict[str, np.ndarray]]:
        """{layer name: {name: NumPy array}} for those of the layers that have weights."""
        self._require_built()
        return {
            layer.name: {name: on_host(array) for name, array in layer.parameters.items()}
            for layer in layers
            if layer.parameter_shapes()
        }


def target_of(model: Any) -> keras_h5.Target:
    """A `keras_h5.Target` with the model's layer names, classes and shapes; the weights are not read."""
    model._require_built()
    layers, flattened = [], None
    for layer in model.layers:
        kind = KERAS_CLASSES.get(type(layer).__name__, type(layer).__name__)
        layers.append(
            keras_h5.TargetLayer(
                layer.name,
                kind,
                layer.parameter_shapes(),
                layer.input_shape,
                layer.output_shape,
                layer.trainable,
                flattened if kind in ("Dense", "BatchNormalization") else None,
            )
        )
        if kind == "Flatten" and len(layer.input_shape) == 3:
            flattened = layer.input_shape
        elif kind == "Dense":
            flattened = None
    return keras_h5.Target(tuple(layers), model.input_shape)
