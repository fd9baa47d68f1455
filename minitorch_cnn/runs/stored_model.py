"""Reads a model from an untrusted file: described by data alone, and checked before memory is allocated for it."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.network.sequential import Sequential

MOST_NUMBERS = 2**26  # in one layer's output for one image: 256 MiB; VGG16's largest has a twentieth of that
MOST_IN_ALL = 2**28  # in the outputs of all layers, which also limits the time; VGG16's have a seventeenth of that
MOST_LAYERS = 10_000
LONGEST_NAME = 200  # characters


def stored_model(
    path: str | Path, arrays: dict[tuple[str, ...], np.ndarray], facts: dict[str, Any]
) -> tuple[Sequential, list[str]]:
    """(model, class names) from what `RunFolder.save_model` wrote; CheckpointError for anything else.

    Arguments: `path` for messages; `arrays` {(layer, name): array}; `facts` with the model's `config()` and the class
    names. Only layers of this package can be named, and no array is allocated before all shapes have been compared.
    """
    try:
        config, names = dict(facts["model"]), facts["class_names"]
        if _shapes(config) != {key: array.shape for key, array in arrays.items()}:
            raise ValueError("its weights do not have the shapes of the model that it describes")
        model = Sequential.from_config(config)
        for (layer, name), array in arrays.items():
            model.get_layer(layer).parameters[name] = array
        classes = max(2, math.prod(model.output_shape))
        if not isinstance(names, list) or len(names) != classes or not all(isinstance(name, str) for name in names):
            raise ValueError(f"expected the names of {classes} classes")
    except Exception as error:  # a constructor may raise almost anything when its arguments make no sense
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise CheckpointError(f"{path}: not a model saved by minitorch-cnn ({printable(reason)[:300]})") from None
    return model, [printable(name) for name in names]


def _shapes(config):
    """{(layer, parameter): shape} of the described model; no array is allocated."""
    if len(config["layers"]) > MOST_LAYERS:
        raise ValueError(f"expected at most {MOST_LAYERS:,} layers")
    model = Sequential.from_config({**config, "input_shape": None})
    shape = tuple(int(size) for size in config["input_shape"])
    shapes, in_all = {}, 0
    for layer in model.layers:
        if not isinstance(layer.name, str) or printable(layer.name) != layer.name or len(layer.name) > LONGEST_NAME:
            raise ValueError(f"'{printable(layer.name)[:40]}' is not a valid layer name")
        layer.build(shape)
        shape = layer.output_shape
        in_all += math.prod(shape)
        if not all(size > 0 for size in shape) or math.prod(shape) > MOST_NUMBERS or in_all > MOST_IN_ALL:
            raise ValueError(f"{layer.name}: its output is too large or empty, {shape}")
        shapes |= {(layer.name, name): tuple(size) for name, size in layer.parameter_shapes().items()}
    return shapes
