"""A whole network against Keras: the same weights, the same images, every number that comes out on the way.

`fixtures/keras_seq_ref.npz` was computed by Keras, in float32 and in float64: `w.<layer>.<weight>` the weights, `x` and
`y` images and one-hot labels, `layer.NN.<layer>` every layer's output, `loss`, `grad.<layer>.<weight>`, `grad_input`
(dropout off); with the prefix `f64.` the same in float64.
"""

from pathlib import Path

import numpy as np
import pytest
from engine_helpers import relative_error

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses

REFERENCE = dict(np.load(Path(__file__).parent / "fixtures" / "keras_seq_ref.npz"))
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def keras_model(dtype, algorithm="auto"):
    """The model of the fixture with Keras's layer names and weights."""
    stack = [
        layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2d", algorithm=algorithm),
        layers.Conv2D(4, 3, activation="relu", name="conv2d_1", algorithm=algorithm),
        layers.MaxPool2D(2, name="max_pooling2d"),
        layers.Conv2D(6, 3, padding="same", name="conv2d_2", algorithm=algorithm),
        layers.MaxPool2D(2, name="max_pooling2d_1"),
        layers.Flatten(name="flatten"),
        layers.Dense(8, "relu", name="dense"),
        layers.Dropout(0.5, name="dropout"),
        layers.Dense(3, "softmax", name="dense_1"),
    ]
    model = mtc.Sequential(stack, (12, 12, 3), seed=0, dtype=dtype)
    weights = [key for key in REFERENCE if key.startswith("w.")]
    assert weights == [f"w.{layer.name}.{name}" for layer in model.layers for name in layer.parameters]
    for key in weights:
        _, layer, name = key.split(".")
        model.get_layer(layer).parameters[name] = REFERENCE[key]
    return model


def wanted(key, dtype):
    """Keras's number, or an error where the file has none: nothing is passed over in silence."""
    return REFERENCE[f"f64.{key}" if dtype == "float64" else key]


def test_every_layers_output():
    model = keras_model("float32")
    keys = sorted(key for key in REFERENCE if key.startswith("layer."))
    assert [key.split(".")[2] for key in keys] == [layer.name for layer in model.layers]
    y = REFERENCE["x"]
    for key, layer in zip(keys, model.layers):
        y = layer.forward(y)
        assert y.dtype == np.float32 and relative_error(y, REFERENCE[key]) < TOLERANCE["float32"], key


@pytest.mark.parametrize("algorithm", mtc.convolution.ALGORITHMS)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_loss_and_gradients(dtype, algorithm):
    model, tolerance = keras_model(dtype, algorithm), TOLERANCE[dtype]
    x, labels = REFERENCE["x"], REFERENCE["y"]
    loss = model.loss_and_gradients(x, labels, losses.CrossEntropy(), training=False)
    assert loss == pytest.approx(float(wanted("loss", dtype)), rel=tolerance)
    assert relative_error(model.prediction, wanted("out", dtype)) < tolerance
    compared = 0
    for layer in model.layers:
        for name, gradient in layer.gradients.items():
            assert relative_error(gradient, wanted(f"grad.{layer.name}.{name}", dtype)) < tolerance, (layer.name, name)
            compared += 1
    assert compared == sum(key.startswith("grad.") for key in REFERENCE) == 10
    assert model.loss_and_gradients(x, labels.argmax(axis=1), losses.CrossEntropy(), training=False) == loss


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_input_gradient(dtype):
    """All the way back from dL/dprediction, through softmax and loss one after the other."""
    model = keras_model(dtype)
    _, dy = losses.CrossEntropy().value_and_gradient(model.forward(REFERENCE["x"]), REFERENCE["y"])
    assert relative_error(model.backward(dy), wanted("grad_input", dtype)) < TOLERANCE[dtype]


def test_predict_and_evaluate():
    model = keras_model("float32")
    assert relative_error(model.predict(REFERENCE["x"], batch_size=3), REFERENCE["out"]) < TOLERANCE["float32"]
    measured = model.evaluate(REFERENCE["x"], REFERENCE["y"], batch_size=3)
    assert measured["loss"] == pytest.approx(float(REFERENCE["loss"]), rel=1e-5)
    right = REFERENCE["out"].argmax(axis=1) == REFERENCE["y"].argmax(axis=1)
    assert measured["accuracy"] == right.mean()
