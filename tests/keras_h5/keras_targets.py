"""The same models as targets of this package, and the weights that Keras's own files must give."""

from pathlib import Path

import numpy as np
from keras_models import INPUT_SHAPE, MODELS, flat, weight_shapes

from minitorch_cnn.keras_h5 import Target, TargetLayer

FIXTURES = Path(__file__).parent / "fixtures"


def target(model, names=None):
    """The flat model; `names` renames layers."""
    layers, shape, flattened = [], INPUT_SHAPE, None
    for layer in flat(MODELS[model]):
        kind, name, _ = layer
        shapes, output = weight_shapes(layer, shape)
        layers.append(TargetLayer((names or {}).get(name, name), kind, shapes, shape, output, True, flattened))
        flattened = shape if kind == "Flatten" else None
        shape = output
    return Target(layers, INPUT_SHAPE, model)


def reference(model):
    """The weights of the files in `fixtures/seq` and `fixtures/nested`, by layer and name."""
    weights = {}
    with np.load(FIXTURES / model / "ref.npz") as arrays:
        for key in arrays.files:
            if key.startswith("w."):
                _, layer, name = key.split(".")
                weights.setdefault(layer, {})[name] = arrays[key]
    return weights


def assert_weights_equal(got, expected, tolerance=0.0):
    """The same layers, the same weights, float32, and the same bits (or nearly, for files of half precision)."""
    assert {layer: set(arrays) for layer, arrays in got.items()} == {k: set(v) for k, v in expected.items()}
    for layer, arrays in expected.items():
        for name, array in arrays.items():
            assert got[layer][name].dtype == np.float32
            assert got[layer][name].flags.c_contiguous
            np.testing.assert_allclose(got[layer][name], array, rtol=tolerance, atol=0, err_msg=f"{layer}.{name}")
