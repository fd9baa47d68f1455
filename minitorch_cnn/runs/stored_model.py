"""A model out of a file that may come from anywhere: described by data, checked before memory is taken for it."""

import math

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.network.sequential import Sequential

MOST_NUMBERS = 2**26  # in one layer's output for one image: 256 MiB; VGG16's largest is a twentieth of that
MOST_IN_ALL = 2**28  # in those of all layers, which bounds the time as well; VGG16's have a seventeenth
MOST_LAYERS = 10_000
LONGEST_NAME = 200  # characters


def stored_model(path, arrays, facts):
    """(model, class names) from what `RunFolder.save_model` keeps; CheckpointError for anything else.

    Arguments: `arrays` {(layer, name): array}, `facts` with the model's `config()` and the names. Only the package's
    own layers can be named, and nothing is built before their shapes are those of the arrays.
    """
    try:
        config, names = dict(facts["model"]), facts["class_names"]
        if _shapes(config) != {key: array.shape for key, array in arrays.items()}:
            raise ValueError("its weights are not those of the model that it describes")
        model = Sequential.from_config(config)
        for (layer, name), array in arrays.items():
            model.get_layer(layer).parameters[name] = array
        classes = max(2, math.prod(model.output_shape))
        if not isinstance(names, list) or len(names) != classes or not all(isinstance(name, str) for name in names):
            raise ValueError(f"expected the names of {classes} classes")
    except Exception as error:  # a constructor answers strange arguments with almost anything
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise CheckpointError(f"{path}: not a model of this program ({printable(reason)[:300]})") from None
    return model, [printable(name) for name in names]


def _shapes(config):
    """{(layer, parameter): shape} of the described model, without an array being made."""
    if len(config["layers"]) > MOST_LAYERS:
        raise ValueError(f"expected at most {MOST_LAYERS:,} layers")
    model = Sequential.from_config({**config, "input_shape": None})
    shape = tuple(int(size) for size in config["input_shape"])
    shapes, in_all = {}, 0
    for layer in model.layers:
        if not isinstance(layer.name, str) or printable(layer.name) != layer.name or len(layer.name) > LONGEST_NAME:
            raise ValueError(f"'{printable(layer.name)[:40]}' is no name of a layer")
        layer.build(shape)
        shape = layer.output_shape
        in_all += math.prod(shape)
        if not all(size > 0 for size in shape) or math.prod(shape) > MOST_NUMBERS or in_all > MOST_IN_ALL:
            raise ValueError(f"{layer.name}: its output has the shape {shape}")
        shapes |= {(layer.name, name): tuple(size) for name, size in layer.parameter_shapes().items()}
    return shapes
