"""Makes the model of an own file (`own_file.py`), which may be untrusted: described by data alone, checked first."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.engine.passes import graph
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.network.cost import check_cost
from minitorch_cnn.network.description import values_of
from minitorch_cnn.network.model import Model
from minitorch_cnn.network.naming import name_layers
from minitorch_cnn.network.sequential import model_of

MOST_LAYERS = 2_000
LONGEST_NAME = 200  # characters


def stored_model(
    path: str | Path, arrays: dict[tuple[str, ...], np.ndarray], facts: dict[str, Any], limits: bool = True
) -> tuple[Model, list[str] | None]:
    """(model, class names) from what `write_own_file` wrote, names or None; CheckpointError for anything else.

    Arguments: `path` for messages; `arrays` {(layer, name): array}; `facts` with the model's `config()` and the class
    names; with `limits` a network that would take too much memory or time for an image is refused (`cost.py`). Only
    layers of this package can be named, and no array is allocated before all shapes have been compared.
    """
    try:
        config, names = dict(facts["model"]), facts.get("class_names")
        if _shapes(config, limits) != {key: array.shape for key, array in arrays.items()}:
            raise ValueError("its weights do not have the shapes of the model that it describes")
        if any(array.dtype != np.dtype(config["dtype"]) for array in arrays.values()):
            raise ValueError(f"its weights are not of the model's dtype, {config['dtype']}")
        model = model_of(config)
        for (layer, name), array in arrays.items():
            model.get_layer(layer).parameters[name] = array
        if names is None:
            return model, None
        classes = max(2, math.prod(model.output_shape))
        if not isinstance(names, list) or len(names) != classes or not all(isinstance(name, str) for name in names):
            raise ValueError(f"expected the names of {classes} classes")
    except Exception as error:  # a constructor may raise almost anything when its arguments make no sense
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise CheckpointError(f"{path}: not a model saved by minitorch-cnn ({printable(reason)[:300]})") from None
    return model, [printable(name) for name in names]


def _shapes(config, limits):
    """{(layer, parameter): shape} of the described model; no array is allocated."""
    if max(len(config["layers"]), len(config.get("nodes", ()))) > MOST_LAYERS:
        raise ValueError(f"expected at most {MOST_LAYERS:,} layers")
    inputs, outputs = values_of(config)
    nodes, ends = graph(inputs, outputs)
    layers = list(dict.fromkeys(node.layer for node in nodes))
    name_layers(layers)
    for layer in layers:
        if not isinstance(layer.name, str) or printable(layer.name) != layer.name or len(layer.name) > LONGEST_NAME:
            raise ValueError(f"'{printable(layer.name)[:40]}' is not a valid layer name")
    if limits:
        check_cost(nodes, [value.shape for value in inputs], ends, config["dtype"])
    return {(layer.name, name): tuple(size) for layer in layers for name, size in layer.parameter_shapes().items()}
