"""Batch normalization in files of Keras 0 and 1: what its spread is, and the order of its values behind a Flatten."""

import numpy as np
import pytest
from keras_models import all_weights, weight_value
from keras_targets import assert_weights_equal
from old_keras import TENSORFLOW_1, THEANO_1, write_names, write_numbers

from minitorch_cnn.keras_h5 import Target, TargetLayer, load, read


@pytest.mark.parametrize(
    ("write", "squared", "note"),
    [(write_numbers, True, "moving_variance is its square"),
     (lambda path, weights: write_names(path, weights, THEANO_1), False, "running_std is assumed to be a variance")],
)  # fmt: skip
def test_spread_of_old_normalization(tmp_path, write, squared, note):
    norm = {"norm": dict(all_weights("nested_norm")["first_norm"])}
    expected = {"norm": dict(norm["norm"])}
    if squared:
        expected["norm"]["moving_variance"] = np.square(norm["norm"]["moving_variance"])
    shapes = {name: array.shape for name, array in norm["norm"].items()}
    write(tmp_path / "old.h5", norm)
    loaded = load(tmp_path / "old.h5", Target([TargetLayer("norm", "BatchNormalization", shapes)]))
    assert_weights_equal(loaded.weights, expected)
    assert note in str(loaded.report)


@pytest.mark.parametrize(
    ("attributes", "options", "squared"),
    [
        ({}, {}, False),
        ({}, {"running_std": "standard_deviation"}, True),
        ({}, {"running_std": "variance"}, False),
        ({"keras_version": "1.0.5"}, {}, True),
        ({"keras_version": "1.0.6"}, {}, False),
        ({"keras_version": "1.2.2"}, {}, False),
        ({"keras_version": "1.0.5"}, {"running_std": "variance"}, False),
    ],
)
def test_running_std_by_version_or_by_the_user_s_word(tmp_path, attributes, options, squared):
    norm = {"norm": dict(all_weights("nested_norm")["first_norm"])}
    expected = {"norm": dict(norm["norm"])}
    if squared:
        expected["norm"]["moving_variance"] = np.square(norm["norm"]["moving_variance"])
    write_names(tmp_path / "old.h5", norm, THEANO_1, attributes)
    shapes = {name: array.shape for name, array in norm["norm"].items()}
    model = Target([TargetLayer("norm", "BatchNormalization", shapes)])
    assert_weights_equal(load(tmp_path / "old.h5", model, **options).weights, expected)
    assert_weights_equal(read(tmp_path / "old.h5", **options), expected)
    assert_weights_equal(read(tmp_path / "old.h5", model, **options), expected)


def test_a_normalization_behind_the_flatten_is_reordered_too(tmp_path):
    """Its arrays have a number for each value of the flattened map, like the rows of the dense kernel behind it."""
    rows, columns, channels = 2, 3, 4
    size = rows * columns * channels
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {
        "conv": {"kernel": weight_value("conv", "kernel", (3, 3, 2, channels))},
        "norm": {name: weight_value("norm", name, (size,)) for name in names},
        "dense": {"kernel": weight_value("dense", "kernel", (size, size)), "bias": weight_value("dense", "b", (size,))},
    }
    stored = {name: dict(arrays) for name, arrays in weights.items()}
    stored["conv"]["kernel"] = weights["conv"]["kernel"].transpose(3, 2, 0, 1)
    for r in range(rows):
        for c in range(columns):
            for k in range(channels):
                old, new = (k * rows + r) * columns + c, (r * columns + c) * channels + k
                for layer, name in [("norm", name) for name in names] + [("dense", "kernel")]:
                    if stored[layer][name] is weights[layer][name]:
                        stored[layer][name] = weights[layer][name].copy()
                    stored[layer][name][old] = weights[layer][name][new]
    write_names(tmp_path / "old.h5", stored, TENSORFLOW_1)
    kinds = {"conv": "Conv2D", "norm": "BatchNormalization", "dense": "Dense"}
    layers = [
        TargetLayer(layer, kinds[layer], {name: array.shape for name, array in arrays.items()},
                    flatten_shape=None if layer == "conv" else (rows, columns, channels))
        for layer, arrays in weights.items()
    ]  # fmt: skip
    assert_weights_equal(load(tmp_path / "old.h5", Target(layers)).weights, weights)
