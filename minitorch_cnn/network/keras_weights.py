"""Keras weight files of a model: what `keras_h5` needs to know about the model, and where the arrays go.

`keras_h5` knows files but no layers, and the layers know no files. This module connects them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn import keras_h5
from minitorch_cnn.arguments import check_path
from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine.layers import Dense, Flatten
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.replacing import named_place
from minitorch_cnn.network.keras_description import describe, keras_2, keras_3, keras_names, settings_of
from minitorch_cnn.network.keras_kinds import KINDS
from minitorch_cnn.network.keras_order import in_keras_order
from minitorch_cnn.network.keras_steps import LAYERS
from minitorch_cnn.network.own_file import is_own_file, load_own_weights, require_own_kinds, write_own_file

# Keras's names for our layer classes.
KERAS_CLASSES = {kind.ours: name for name, kind in KINDS.items()} | {"Sigmoid": "Activation", "Tanh": "Activation"}


class KerasWeights:
    """The weight files of a `Sequential`."""

    def load_weights(
        self: Any, path: str | Path, by_name: bool = False, skip_mismatch: bool = False, **options: Any
    ) -> keras_h5.Loaded:
        """Load a Keras weight file of any dialect, or a `.npz` of `save`: all arrays that fit the model, or none.

        Layers are paired in order, or with `by_name` by equal names; `skip_mismatch` skips layers whose shapes differ.
        The other options are those of `keras_h5.load`, for old files that leave something open.

        Returns what was loaded: `result.report` says what came from where, with the fingerprints of the weights before
        and after; `result.skipped` names what was left out; `result.weights` are the model's own arrays. Raises
        WeightsError if the file is damaged or does not fit; the model's weights are then unchanged.
        """
        path = check_path(path, "load_weights")
        if is_own_file(path):
            return load_own_weights(path, self, {"by_name": by_name, "skip_mismatch": skip_mismatch, **options})
        target, before = target_of(self), self.fingerprints_now()
        loaded = keras_h5.load(path, target, by_name, skip_mismatch, dtype=self.dtype, **options)
        for name, arrays in loaded.weights.items():
            self.get_layer(name).load(arrays)
        for note in loaded.report.notes:
            if "differs from this one" in note:
                warnings.warn(f"{path}: {note}", stacklevel=2)
        after = self.fingerprints_now()
        for row in loaded.report.layers:
            if row.goes_to in loaded.weights:
                row.before, row.fingerprint = before[row.goes_to], after[row.goes_to]
        return replace(loaded, weights={name: dict(self.get_layer(name).parameters) for name in loaded.weights})

    def save_weights(self: Any, path: str | Path) -> None:
        """Write the weights to a file that Keras can load into the same layers, in float32.

        These are the layers that `save` writes. A model that was opened from a file of models inside models is flat
        here, so Keras loads its weights into that flat network; and a Dense layer that Keras applied to images is a
        Conv2D with a 1x1 kernel.

        A name ending in .weights.h5 gives the format of Keras 3, any other .h5 the format that all versions read.
        Raises WeightsError if the file cannot be written, and then leaves an older file unchanged.
        """
        path = check_path(path, "save_weights")
        keras_h5.save(path, target_of(self), self._host_weights(self.layers))

    def save(self: Any, path: str | Path) -> None:
        """Write the whole model, architecture and weights, to a file that `load_model` opens.

        `x.npz` keeps everything, to the same bits (`own_file.py`). Keras opens the others, which hold float32:
        `x.keras` is for Keras 3, `x.h5` for tf.keras and Keras 2. Keras has no place for the model's `preprocessing` of
        images, so it is not stored there, and it takes no `/` in a layer's name, so `_` is written.

        If the name is that of a link, the file that it leads to is replaced; a missing folder is not made.

        Raises ArgumentError, naming the layer, for what the format does not have, and WeightsError or CheckpointError
        if the file cannot be written.
        """
        description = self.require_savable(path)
        path = os.fsdecode(check_path(path, "save"))
        if description is None:
            write_own_file(named_place(path), self)
            return
        ending = path.lower().rpartition(".")[2]
        names = keras_names(self)
        own = {names[layer.name]: replace(layer, name=names[layer.name]) for layer in target_of(self).layers}
        listed = [
            replace(own[layer.name], kind=layer.class_name)
            if layer.name in own
            else keras_h5.TargetLayer(layer.name, layer.class_name)
            for layer in description.layers
            if layer.module == LAYERS  # for operations Keras stores nothing
        ]
        weights = {names[name]: arrays for name, arrays in self._host_weights(self.layers).items()}
        weights = {layer.name: weights[layer.name] for layer in listed if layer.weights}
        config = (keras_3 if ending == "keras" else keras_2)(description, "model")
        keras_h5.save_model(path, keras_h5.Target(tuple(listed), name="model"), weights, config)

    def require_savable(self: Any, path: str | Path) -> Any:
        """Raise ArgumentError if `save` could not write this model to a file of that name.

        Returns Keras's description of the model, or None for the package's own format.
        """
        path = check_path(path, "save")
        self._require_built()
        if is_own_file(path):
            require_own_kinds(self)
            return None
        name = Path(os.fsdecode(path)).name
        if not name.lower().endswith((".keras", ".h5", ".hdf5")) or name.lower().endswith(".weights.h5"):
            raise ArgumentError(f"save: expected a name that ends in .npz, .keras or .h5, got {name!r}")
        return describe(self, 3 if name.lower().endswith(".keras") else 2)

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
    """A `keras_h5.Target` with the model's layer names, classes and shapes in Keras's order; no weights are read."""
    model._require_built()
    layers = []
    flattened = _flattened(model)
    for layer in _in_order(model):
        kind = KERAS_CLASSES.get(type(layer).__name__, type(layer).__name__)
        layers.append(
            keras_h5.TargetLayer(
                layer.name,
                kind,
                layer.parameter_shapes(),
                layer.input_shape,
                layer.output_shape,
                layer.trainable,
                flattened.get(layer) if kind in ("Dense", "BatchNormalization") else None,
                settings=settings_of(layer),
            )
        )
    return keras_h5.Target(tuple(layers), model.input_shape if model.inputs == 1 else None)


def _in_order(model: Any) -> list[Any]:
    """The model's layers as Keras would list them."""
    inputs = {number: (f"input {number}", ()) for number in range(model.inputs)}
    made = {node.output: (node.layer, node.inputs) for node in model.nodes()}
    return [layer for layer in in_keras_order({**inputs, **made}, model.ends) if not isinstance(layer, str)]


def _flattened(model: Any) -> dict[Any, tuple]:
    """{layer: shape (H, W, C) of the feature map whose numbers, in one row, it receives}."""
    rows: dict[int, tuple] = {}  # number of a value: that shape
    received = {}
    for node in model.nodes():
        shape = rows.get(node.inputs[0]) if len(node.inputs) == 1 else None
        if shape is not None:
            received[node.layer] = shape
        if isinstance(node.layer, Flatten) and len(node.layer.input_shape) == 3:
            rows[node.output] = node.layer.input_shape
        elif shape is not None and not isinstance(node.layer, Dense):
            rows[node.output] = shape
    return received
