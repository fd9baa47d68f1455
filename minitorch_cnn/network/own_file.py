"""The package's own model file, `.npz`: the description of a model and its weights, to the same bits.

Keras's formats have no place for the preprocessing of images, nor for float64. This one keeps the whole `config()`
beside the weights; `stored_model.py` makes the model again, from files of anybody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from minitorch_cnn import keras_h5
from minitorch_cnn.arrays import on_host
from minitorch_cnn.datasets import preprocessing as preprocessings
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.errors import ArgumentError, CheckpointError, UserError, WeightsError
from minitorch_cnn.keras_h5.report import LayerReport, Report
from minitorch_cnn.training import checkpoint

LONGEST_DESCRIPTION = 1 << 22  # bytes; VGG16 takes about five thousand


def is_own_file(path: str | os.PathLike) -> bool:
    """Whether that is the name of such a file, by its ending."""
    return os.fsdecode(path).lower().endswith(".npz")


def require_own_kinds(model: Any) -> None:
    """ArgumentError for a layer or a preprocessing of the user's own, which a file can only name but not contain."""
    for layer in model.layers:
        kind = type(layer).__name__
        if kind not in layer_classes.__all__ or getattr(layer_classes, kind) is not type(layer):
            raise ArgumentError(f"save: {layer.name}: expected a layer of minitorch_cnn.layers, got {kind}")
    if model.preprocessing is not None:
        try:
            preprocessings.from_config(model.preprocessing.config())
        except (UserError, AttributeError, KeyError, TypeError, ValueError):
            kind = type(model.preprocessing).__name__
            raise ArgumentError(f"save: preprocessing: expected one of datasets.preprocessing, got {kind}") from None


def write_own_file(path: str | Path, model: Any, class_names: Sequence[str] | None = None) -> None:
    """Write the model, and the names of its classes if there are any; CheckpointError if the file cannot be written."""
    arrays = {key: on_host(value) for key, value in model.state().items() if key[1] != "draws"}
    names = {} if class_names is None else {"class_names": list(class_names)}
    checkpoint.save(path, arrays, {"model": model.config(), **names})


@contextlib.contextmanager
def opened_own_file(path: str | os.PathLike) -> Iterator[tuple[dict, dict]]:
    """(arrays, facts) of such a file, for a `with` block; whatever is wrong with them there is a WeightsError."""
    try:
        yield checkpoint.load(os.fsdecode(path), LONGEST_DESCRIPTION, "model file")
    except CheckpointError as error:
        raise WeightsError(str(error)) from None


def load_own_weights(path: str | os.PathLike, model: Any, options: Mapping[str, Any]) -> keras_h5.Loaded:
    """Load the weights of such a file into a model with the same layers; WeightsError, which names what differs.

    The `options` are for Keras's files: ArgumentError if one of them is set.
    """
    for option in (name for name, value in options.items() if value):
        name = Path(os.fsdecode(path)).name
        raise ArgumentError(f"load_weights: {option}: expected a file of Keras with it, got {name}")
    expected = {key: value.shape for key, value in model.state().items() if key[1] != "draws"}
    with opened_own_file(path) as (arrays, _):
        keys = dict.fromkeys([*expected, *arrays])
    for key in keys:
        shapes = [str(expected.get(key, "none")), str(arrays[key].shape if key in arrays else "none")]
        if shapes[0] != shapes[1]:
            raise WeightsError(f"{os.fsdecode(path)}: {'/'.join(key)}: expected shape {shapes[0]}, got {shapes[1]}")
    rows = []
    for layer in (layer for layer in model.layers if layer.parameter_shapes()):
        before = keras_h5.fingerprint({name: on_host(array) for name, array in layer.parameters.items()})
        values = {name: arrays[layer.name, name] for name in layer.parameter_shapes()}
        layer.load(values)
        row = LayerReport(layer.name, ", ".join(values), layer.name, before, keras_h5.fingerprint(values))
        rows.append(row)
    report = Report(os.fsdecode(path), os.path.getsize(path), "minitorch_cnn", "minitorch_cnn", rows, fits=True)
    return keras_h5.Loaded({row.name: dict(model.get_layer(row.name).parameters) for row in rows}, [], report)
