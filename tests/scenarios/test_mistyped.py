"""What people type from habit: names, lists, Keras's words, and a little too much or too little."""

import inspect

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError, UserError
from minitorch_cnn.training import Trainer

X = np.random.default_rng(0).random((8, 6, 5, 3)).astype("float32")
LABELS = np.arange(8) % 3


def net(units=3, activation="softmax"):
    return mtc.Sequential([layers.Flatten(), layers.Dense(units, activation=activation)], (6, 5, 3), seed=0)


def fit(model, x=X, labels=LABELS, **options):
    return model.fit(x, labels, **{"optimizer": optimizers.SGD(0.01), "progress": False, **options})


def weights_after(x=X, labels=LABELS, **options):
    model = net()
    fit(model, x, labels, **options)
    return model.vector.values


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("sgd", optimizers.SGD),
        ("Adam", optimizers.Adam),
        ("rmsprop", optimizers.RMSprop),
        ("muon", optimizers.Muon),
    ],
)
def test_keras_s_names_of_optimizers(name, made):
    np.testing.assert_array_equal(weights_after(optimizer=name), weights_after(optimizer=made()))


@pytest.mark.parametrize("name, loss", [("mse", losses.MeanSquaredError()), ("categorical_crossentropy", None)])
def test_keras_s_names_of_losses(name, loss):
    one_hot = np.eye(3)[LABELS]
    np.testing.assert_array_equal(weights_after(X, one_hot, loss=name), weights_after(X, one_hot, loss=loss))
    assert net().evaluate(X, one_hot, loss=name) == net().evaluate(X, one_hot, loss=loss)
    steps = [net().train_step(X, one_hot, each, optimizers.SGD(0)) for each in (name, loss or losses.CrossEntropy())]
    assert steps[0] == steps[1]


def test_lists_are_arrays():
    expected = weights_after(validation=(X, LABELS))
    for x in (X.tolist(), list(X)):
        found = weights_after(x, LABELS.tolist(), validation=(x, LABELS.tolist()))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(net().predict(x), net().predict(X))
        assert net().evaluate(x, LABELS.tolist()) == net().evaluate(X, LABELS)


RAGGED = [X[0], X[1, :4], X[2]]
WRONG = [
    (
        lambda: fit(net(), optimizer="sdg"),
        "optimizer: expected one of sgd, rmsprop, adam, muon, or an object, got 'sdg'",
    ),
    (lambda: fit(net(), loss="crossentropy"), "loss: expected one of categorical_crossentropy, "),
    (lambda: fit(net(), optimizer=None), "fit: optimizer: expected one such as optimizers.SGD"),
    (lambda: fit(net(), RAGGED, [0, 1, 2]), "fit: x: expected arrays of one shape, got a list of different ones"),
    (lambda: fit(net(), X[:2], [[0], [1, 2]]), "fit: labels: expected arrays of one shape"),
    (lambda: net().predict(RAGGED), "predict: expected arrays of one shape"),
    (lambda: net().forward(RAGGED), "input: expected arrays of one shape"),
    (lambda: fit(net(), X, list("abcabcab")), "expected labels that are numbers, got dtype <U1"),
    (lambda: net().evaluate(X, list("abcabcab")), "expected labels that are numbers, got dtype <U1"),
    (lambda: layers.Dense((64, 10)), r"dense: units: expected a single integer, got \(64, 10\)"),
    (lambda: layers.Conv2D((3, 3), 8), r"conv2d: filters: expected a single integer, got \(3, 3\)"),
    (lambda: layers.Conv2DTranspose([3, 3], 8), r"filters: expected a single integer, got \[3, 3\]"),
    (lambda: mtc.Sequential([layers.Flatten()], (None, None, 3)), "input_shape: expected whole numbers"),
    (lambda: mtc.Sequential([layers.Flatten()], (6, 5, 3), seed=-1), "seed: expected a whole number of at least 0"),
    (lambda: fit(net(), seed=-1), "seed: expected an integer of at least 0, got -1"),
    (lambda: net().forward(X[:0]), "expected at least one image, got none"),
    (lambda: net().predict(X, batch_size=-1), "batch_size: expected a whole number of at least 1, got -1"),
    (lambda: fit(net(), validation=X), r"fit: validation: expected a pair \(x, labels\)"),
    (lambda: optimizers.Adam(beta_1=2), r"beta_1: expected a number in \[0, 1\), got 2"),
    (lambda: optimizers.SGD(0.1, weight_decay=-1), "weight_decay: expected a number of at least 0, got -1"),
    (lambda: optimizers.SGD(0.1, weight_decay="x"), "weight_decay: expected a number of at least 0, got 'x'"),
]


@pytest.mark.parametrize("act, message", WRONG)
def test_a_mistake_ends_in_one_line(act, message):
    with pytest.raises(UserError, match=message) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_fit_shows_its_arguments_and_its_errors_speak_of_fit():
    shown, trainer = inspect.signature(mtc.Model.fit).parameters, inspect.signature(Trainer.__init__).parameters
    assert set(shown) - {"resume"} == set(trainer) - {"model"}
    for name in set(shown) & set(trainer) - {"self", "labels"}:
        assert shown[name].default == trainer[name].default, name
    for wrong in ({"optimizer": "sgd", "epoch": 3}, {}):
        with pytest.raises(TypeError, match=r"fit\(\)"):
            net().fit(X, LABELS, **wrong)


def test_every_model_can_be_shown():
    used = net()
    used.cut(after="flatten_1")
    assert repr(used) == "Sequential(used up by cut)"
    assert repr(mtc.Sequential()) == "Sequential(0 layers, None -> None)"
    assert repr(mtc.Sequential([layers.Dense(3)])) == "Sequential(1 layers, None -> None)"
    assert repr(net()) == "Sequential(2 layers, (6, 5, 3) -> (3,))"
    with pytest.raises(ArgumentError, match="used up by cut"):
        used.predict(X)
