"""`load_model`: activations that are stored as a layer with settings, as in `Conv2D(8, 3, activation=ReLU(6.0))`."""

import json
import zipfile

import numpy as np
import pytest
from test_load_model_structure import X, config_file, entry, functional

import minitorch_cnn as mtc
from minitorch_cnn.errors import WeightsError


def stored(class_name, **settings):
    """An activation as Keras 3 and tf_keras write it."""
    settings = {"name": "a", "trainable": True, "dtype": "float32", **settings}
    return {"module": "keras.layers", "class_name": class_name, "config": settings, "registered_name": None}


def older(folder, config):
    """A `.keras` file of Keras 2."""
    path = config_file(folder / "x.keras", config)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
    return path


RELU = {"negative_slope": 0.0, "threshold": 0.0}
NAMED = [
    (stored("ReLU", max_value=None, **RELU), "relu"),
    (stored("ReLU", max_value=6.0, **RELU), "relu6"),
    (stored("Softmax", axis=-1), "softmax"),
    (stored("LeakyReLU", negative_slope=0.2), "leaky_relu"),
    (stored("LeakyReLU", alpha=0.20000000298023224), "leaky_relu"),
    (stored("ELU", alpha=1.0), "elu"),
    (stored("Activation", activation="tanh"), "tanh"),
    (stored("Activation", activation=stored("ReLU", max_value=6, **RELU)), "relu6"),
    ({"class_name": "function", "config": "silu", "registered_name": "silu"}, "silu"),
]


def network(activation, kind):
    plain = {"kernel_size": [1, 1]} if kind == "DepthwiseConv2D" else {}
    return functional(X, entry(kind, "y", ["x"], activation=activation, **plain))


@pytest.mark.parametrize("activation, name", NAMED, ids=lambda each: each if isinstance(each, str) else "")
def test_an_object_that_computes_what_a_name_does(activation, name, tmp_path):
    x = np.random.default_rng(0).normal(0, 4, (2, 5, 4, 3)).astype("float32")
    y = [
        mtc.load_model(config_file(tmp_path / "x.keras", network(each, "Activation"))).predict(x)
        for each in (activation, name)
    ]
    np.testing.assert_array_equal(*y)


OTHERS = [
    (stored("ReLU", max_value=0.0, **RELU), r"ReLU\(max_value=0.0\)"),
    (stored("ReLU", max_value=3, **RELU), r"ReLU\(max_value=3\)"),
    (stored("ReLU", max_value=None, negative_slope=0.1, threshold=0.0), r"ReLU\(negative_slope=0.1\)"),
    (stored("ReLU", max_value=6.0, negative_slope=0.0, threshold=0.5), r"ReLU\(max_value=6.0, threshold=0.5\)"),
    (stored("ReLU", max_value=None, surprise=1, **RELU), r"ReLU\(surprise=1\)"),
    (stored("ReLU", max_value=False, **RELU), r"ReLU\(max_value=False\)"),
    (stored("Softmax", axis=1), r"Softmax\(axis=1\)"),
    (stored("Softmax", axis=[1, 2]), r"Softmax\(\)"),
    (stored("LeakyReLU", alpha=0.30000001192092896), r"LeakyReLU\(negative_slope=0.3\)"),
    (stored("ELU", alpha=2.0), r"ELU\(alpha=2.0\)"),
    (stored("PReLU", alpha_initializer={"class_name": "Zeros", "config": {}}), r"PReLU\(\)"),
    (stored("Activation", activation="odd"), "odd"),
    (stored("Activation", activation=stored("Softmax", axis=1)), r"Softmax\(axis=1\)"),
    ({**stored("ReLU", max_value=None, **RELU), "registered_name": "mine>ReLU"}, r"mine>ReLU\("),
    ({**stored("Activation", activation="tanh"), "module": "mine"}, r"mine.Activation\(activation='tanh'\)"),
    ({**stored("ReLU", max_value=None, **RELU), "module": "mine"}, r"mine.ReLU\("),
    ({"class_name": 3, "config": {}}, "{'class_name': 3"),
]


@pytest.mark.parametrize("kind", ["Activation", "DepthwiseConv2D"])
@pytest.mark.parametrize("activation, message", OTHERS, ids=lambda each: each if isinstance(each, str) else "")
def test_another_object_is_refused_with_its_settings(activation, message, kind, tmp_path):
    with pytest.raises(WeightsError, match=rf"not supported: activation {message}.*\(y\)$"):
        mtc.load_model(config_file(tmp_path / "x.keras", network(activation, kind)))


def test_an_object_that_is_the_hard_sigmoid_of_keras_2(tmp_path):
    """There it is another function: alone it is computed, inside a layer it is refused."""
    activation = stored("Activation", activation="hard_sigmoid")
    x = np.random.default_rng(0).normal(0, 4, (2, 5, 4, 3)).astype("float32")
    y = mtc.load_model(older(tmp_path, network(activation, "Activation"))).predict(x)
    np.testing.assert_allclose(y, np.clip(0.2 * x + 0.5, 0, 1), atol=1e-6)
    with pytest.raises(WeightsError, match=r"activation hard_sigmoid of Keras 2 inside a layer \(y\)"):
        mtc.load_model(older(tmp_path, network(activation, "DepthwiseConv2D")))
