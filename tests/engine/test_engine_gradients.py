"""Every backward pass against central differences, in float64: layers, activations, losses, whole nets."""

import numpy as np
import pytest
from engine_helpers import distinct, normal, slopes
from engine_layers import LAYERS
from minitorch_cnn.losses import LOSSES

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers, losses
from minitorch_cnn.engine.layers.merge import Merge
from minitorch_cnn.gradients.check import gradient_check


def with_values(make, shape, seed=3):
    """A built float64 layer whose parameters are all drawn: fresh zeros and ones hide mistakes."""
    layer = make()
    mtc.Sequential([layer], shape, seed=0, dtype="float64")
    for i, (name, array) in enumerate(layer.parameters.items()):
        values = normal(array.shape, seed + i)
        layer.parameters[name] = np.exp(values) if "variance" in name else values
    return layer


def test_every_layer_is_in_the_table():
    """Those of several inputs are in `test_engine_graphs.py`."""
    there = {type(make()).__name__ for make, _ in LAYERS.values()}
    assert there == {name for name in layers.__all__ if not issubclass(getattr(layers, name), Merge)} - {"Layer"}


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, training):
    make, shape = LAYERS[name]
    layer = with_values(make, shape)
    before = {key: array.copy() for key, array in layer.parameters.items()}
    report = gradient_check(layer, distinct((2, *shape), 5), training=training)
    assert report.passed, report
    assert not report.kinks and not report.failures
    trained = [f"{layer.name}/{key}" for key in layer.trained()] if layer.trainable else []
    assert set(report.worst) == {*trained, "input"}
    assert report.checked == sum(layer.parameters[key.split("/")[1]].size for key in trained) + 2 * np.prod(shape)
    assert all(np.array_equal(array, before[key]) for key, array in layer.parameters.items())


@pytest.mark.parametrize("name", LAYERS)
def test_layer_in_plain_definitions(name):
    make, shape = LAYERS[name]
    layer = with_values(make, shape)
    with mtc.definitions_only():
        report = gradient_check(layer, distinct((2, *shape), 5), training=True, most=40)
    assert report.passed and not report.kinks, report


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_activation(name):
    activation = activations.get(name)
    x, dy = distinct((4, 5), 1), normal((4, 5), 2)
    dx = activation.backward(dy, x if getattr(activation, "from_scores", False) else activation.forward(x))
    assert np.abs(dx - slopes(lambda: (activation.forward(x) * dy).sum(), x)).max() < 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name, x, y",
    [
        ("sigmoid", [-1e4, -1e3, 0, 1e3, 1e4], [0, 0, 0.5, 1, 1]),
        ("sigmoid", [-np.log(3), np.log(3)], [0.25, 0.75]),
        ("tanh", [-1e4, 0, 1e4], [-1, 0, 1]),
        ("softmax", [1e4, 1e4, -1e4, 0], [0.5, 0.5, 0, 0]),
        ("softmax", [-1e4, np.log(3) - 1e4, -1e4], [0.2, 0.6, 0.2]),
        ("relu", [-1e4, -0.0, 0.0, 1e4], [0, 0, 0, 1e4]),
        ("linear", [-1e4, 3], [-1e4, 3]),
    ],
)
def test_activation_of_any_number(name, x, y, dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        got = activations.get(name).forward(np.array([x], dtype))
        activations.get(name).backward(np.ones_like(got), got)
    np.testing.assert_allclose(got[0], y, rtol=1e-3 if dtype == "float32" else 1e-11, atol=0)


def softened(rows):
    return np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)


N, K = 5, 3
CLASSES = np.array([2, 0, 1, 1, 0])
BITS = np.array([1, 0, 0, 1, 1])

# name: (loss, labels, outputs of the model)
LABELS = {
    "cross-entropy, class numbers": (losses.CrossEntropy, CLASSES, K),
    "cross-entropy, column": (losses.CrossEntropy, CLASSES[:, None], K),
    "cross-entropy, list": (losses.CrossEntropy, CLASSES.tolist(), K),
    "cross-entropy, one-hot": (losses.CrossEntropy, np.eye(K)[CLASSES], K),
    "cross-entropy, probabilities": (losses.CrossEntropy, softened(normal((N, K), 7)), K),
    "cross-entropy, rows that do not add up to 1": (losses.CrossEntropy, np.abs(normal((N, K), 8)), K),
    "binary, (N,)": (losses.BinaryCrossEntropy, BITS, 1),
    "binary, (N, 1)": (losses.BinaryCrossEntropy, BITS[:, None], 1),
    "binary, between 0 and 1": (losses.BinaryCrossEntropy, BITS * 0.8 + 0.1, 1),
    "binary, several outputs": (losses.BinaryCrossEntropy, (normal((N, K), 9) > 0).astype(int), K),
    "squares, (N,)": (losses.MeanSquaredError, normal((N,), 4), 1),
    "squares, (N, K)": (losses.MeanSquaredError, normal((N, K), 4), K),
}


def test_every_loss_is_in_the_table():
    assert {loss for loss, *_ in LABELS.values()} == set(LOSSES.values())


@pytest.mark.parametrize("name", LABELS)
def test_loss(name):
    kind, labels, outputs = LABELS[name]
    loss = kind()
    prediction = np.random.default_rng(1).uniform(0.1, 0.9, (N, outputs))
    _, gradient = loss.value_and_gradient(prediction, labels)
    wanted = slopes(lambda: loss.value_and_gradient(prediction, labels)[0], prediction)
    assert np.abs(gradient - wanted).max() < 1e-8
    if loss.follows:
        scores = 2 * normal((N, outputs), 2)
        _, gradient = loss.from_scores(scores, labels)
        wanted = slopes(lambda: loss.from_scores(scores, labels)[0], scores)
        assert np.abs(gradient - wanted).max() < 1e-8


# What a model may end in: the layers that give `outputs` numbers, and the losses that make sense of them.
ENDINGS = {
    "softmax": (lambda outputs: [layers.Dense(outputs, "softmax")], LOSSES),
    "sigmoid": (lambda outputs: [layers.Dense(outputs, "sigmoid")], LOSSES),
    "softmax layer": (lambda outputs: [layers.Dense(outputs), layers.Softmax()], LOSSES),
    "sigmoid layer": (lambda outputs: [layers.Dense(outputs), layers.Sigmoid()], LOSSES),
    "tanh": (lambda outputs: [layers.Dense(outputs, "tanh")], ["MeanSquaredError"]),
    "nothing": (lambda outputs: [layers.Dense(outputs)], ["MeanSquaredError"]),
}


@pytest.mark.parametrize(
    "name, ending",
    [(name, ending) for name in LABELS for ending, (_, fits) in ENDINGS.items() if LABELS[name][0].__name__ in fits],
)
def test_model_through_its_loss(name, ending):
    kind, labels, outputs = LABELS[name]
    model = mtc.Sequential([layers.Dense(4, "tanh"), *ENDINGS[ending][0](outputs)], (3,), seed=1)
    report = gradient_check(model, normal((N, 3), 3), labels, kind())
    assert report.passed and not report.kinks, report
    assert set(report.worst) == {"dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"}


# name: (layers, input shape, labels)
NETS = {
    "small ConvNet": (
        lambda: [
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPool2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(5, (2, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(6, "relu"),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax"),
        ],
        (7, 8, 2),
        [2, 0, 1],
    ),
    "batch norm, averages, sigmoid": (
        lambda: [
            layers.ZeroPad2D(((1, 0), (0, 1))),
            layers.Conv2D(4, 3, 2, use_bias=False),
            layers.BatchNorm(),
            layers.ReLU(),
            layers.AveragePool2D(2, 1, "same"),
            layers.Conv2D(3, 1, activation="tanh"),
            layers.GlobalAveragePool2D(),
            layers.Dense(1),
            layers.Sigmoid(),
        ],
        (8, 7, 3),
        [1, 0, 1],
    ),
    "frozen in the middle": (
        lambda: [
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNorm(trainable=False),
            layers.Conv2D(4, 2, activation="tanh", trainable=False),
            layers.MaxPool2D((2, 1)),
            layers.Flatten(),
            layers.Dense(4, trainable=False),
            layers.Dense(3, "softmax"),
        ],
        (6, 5, 2),
        [0, 2, 2],
    ),
}


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETS)
def test_whole_net(name, training):
    make, shape, labels = NETS[name]
    model = mtc.Sequential(make(), shape, seed=4)
    x = normal((3, *shape), 6)
    before = model.vector.values.copy()
    trained = {f"{layer.name}/{key}" for layer in model.layers if layer.trainable for key in layer.trained()}
    for report, names in [
        (gradient_check(model, x, training=training, most=25), {*trained, "input"}),
        (gradient_check(model, x, labels, training=training, most=25), trained),
    ]:
        assert report.passed and not report.kinks, report
        assert set(report.worst) == names
    assert np.array_equal(model.vector.values, before)  # the model itself is not touched
