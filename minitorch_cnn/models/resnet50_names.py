"""ResNet50's first published weight file (2015), whose layers have other names and stand in another order.

    today                   then
    conv1_conv, conv1_bn    conv1, bn_conv1
    conv2_block1_1_conv     res2a_branch2a        the three convolutions of a block are branch2a, branch2b, branch2c
    conv2_block1_0_bn       bn2a_branch1          the one beside them is branch1
    predictions             fc1000

Two convolutions of the first block have the same shape, so pairing the layers in order would swap them unnoticed.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from minitorch_cnn import keras_h5
from minitorch_cnn.errors import WeightsError

FIRST_NAMES = {"conv1_conv": "conv1", "conv1_bn": "bn_conv1", "predictions": "fc1000"}
IN_BLOCK = re.compile(r"conv(\d)_block(\d)_(\d)_(conv|bn)")
FIRST_EPSILON = 1e-3  # of the batch norms that those weights were trained with


def first_name(name: str) -> str:
    """The name that a layer had in the first file."""
    if not (found := IN_BLOCK.fullmatch(name)):
        return FIRST_NAMES.get(name, name)
    stage, block, place, kind = found.groups()
    branch = ("1", "2a", "2b", "2c")[int(place)]
    return f"{'res' if kind == 'conv' else 'bn'}{stage}{chr(ord('a') + int(block) - 1)}_branch{branch}"


def load(model: Any, path: str | Path) -> None:
    """Load a weight file of ResNet50 by today's names or by the first ones; WeightsError if it fits neither."""
    try:
        model.load_weights(path)
        return
    except WeightsError as error:
        target = model.keras_target()
        names = {first_name(layer.name): layer.name for layer in target.layers}
        renamed = replace(target, layers=tuple(replace(layer, name=first_name(layer.name)) for layer in target.layers))
        try:
            loaded = keras_h5.load(path, renamed, by_name=True, dtype=model.dtype)
        except WeightsError:
            raise error from None
        if loaded.report.missing or not any(name.startswith("res2a_") for name in loaded.weights):
            raise
    for name, arrays in loaded.weights.items():
        model.get_layer(names[name]).load(arrays)
    for layer in model.layers:
        if hasattr(layer, "epsilon"):
            layer.epsilon = FIRST_EPSILON
