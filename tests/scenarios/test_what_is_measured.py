"""The loss and the accuracy that are shown: what they mean for classes, several labels at once, and quantities."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError, LabelError

X = np.random.default_rng(0).standard_normal((12, 5)).astype("float32")


def net(units, activation=None, *behind, bias=None):
    model = mtc.Sequential([layers.Dense(units, activation=activation), *behind], (5,), seed=0)
    if bias is not None:
        model.layers[0].parameters["kernel"][...] = 0
        model.layers[0].parameters["bias"] = bias
    return model


def fit(model, labels, **options):
    options = {"optimizer": optimizers.SGD(0.1), "validation": (X, labels), "progress": False, **options}
    return model.fit(X, labels, **options)


def test_every_label_of_several_counts():
    labels = np.random.default_rng(1).integers(0, 2, (12, 3))
    model = net(3, "sigmoid")
    expected = ((model.predict(X) > 0.5) == labels).mean()
    assert 0 < expected < 1
    assert model.evaluate(X, labels)["accuracy"] == pytest.approx(expected)
    wrong = net(3, "sigmoid", bias=[9, 8, 7])  # an argmax would take the first of no labels for right
    assert wrong.evaluate(X, np.zeros((12, 3)))["accuracy"] == 0
    history = fit(net(3, "sigmoid"), labels, optimizer=optimizers.SGD(0), batch_size=5)
    assert history["accuracy"] == history["val_accuracy"] == pytest.approx([expected])


@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize("units", [1, 3])
def test_a_quantity_has_no_accuracy(activation, units):
    labels = np.random.default_rng(1).random((12, units))
    history = fit(net(units, activation), labels)
    assert set(history) == {"loss", "val_loss", "learning_rate", "seconds"}
    assert set(net(units, activation).evaluate(X, labels)) == {"loss"}


def test_of_a_class_and_a_quantity_the_class_has_an_accuracy():
    x = mtc.Input((5,))
    model = mtc.Model(x, [layers.Dense(3, activation="softmax")(x), layers.Dense(1)(x)], seed=0)
    classes, quantities = np.arange(12) % 3, X[:, :1]
    expected = (model.predict(X)[0].argmax(axis=1) == classes).mean()
    assert model.evaluate(X, [classes, quantities])["accuracy"] == pytest.approx(expected)


def test_classes_are_counted_as_before():
    labels = np.arange(12) % 3
    for activation, loss in (("softmax", None), ("softmax", losses.MeanSquaredError()),
                             ("sigmoid", losses.MeanSquaredError()), ("sigmoid", losses.CrossEntropy())):  # fmt: skip
        model = net(3, activation)
        expected = (model.predict(X).argmax(axis=1) == labels).mean()
        assert model.evaluate(X, np.eye(3)[labels], loss=loss)["accuracy"] == pytest.approx(expected)


@pytest.mark.parametrize("size", [1.0, 200.0, 4000.0])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_training_and_evaluation_report_one_loss(activation, size):
    units = 3 if activation == "softmax" else 1
    model, labels = net(units, activation), np.arange(12) % 2
    model.layers[0].parameters["kernel"][...] *= size
    trained = model.loss_and_gradients(X, labels, model.default_loss())
    assert model.evaluate(X, labels)["loss"] == pytest.approx(trained, rel=1e-6)
    history = fit(model, labels, optimizer=optimizers.SGD(0), batch_size=5)
    assert history["loss"] == pytest.approx(history["val_loss"], rel=1e-6) and history["loss"][0] > 0.1 * size


LOGITS = [
    (losses.CrossEntropy(), 3, None, "softmax"),
    (losses.CrossEntropy(), 3, "relu", "softmax"),
    (losses.BinaryCrossEntropy(), 1, None, "sigmoid"),
    (losses.BinaryCrossEntropy(), 1, "tanh", "sigmoid"),
]


@pytest.mark.parametrize("loss, units, activation, advice", LOGITS)
def test_a_loss_of_probabilities_refuses_scores(loss, units, activation, advice):
    labels = np.arange(12) % 2
    for act in (
        lambda model: fit(model, labels, loss=loss),
        lambda model: model.evaluate(X, labels, loss=loss),
        lambda model: model.train_step(X, labels, loss, optimizers.SGD(0.1)),
    ):
        for model in (net(units, activation), net(units, activation, layers.Dropout(0.1))):
            before = model.vector.values.copy()
            with pytest.raises(ArgumentError) as caught:
                act(model)
            assert str(caught.value).startswith(
                f"{type(loss).__name__}: expected probabilities from dense_1, got scores, because its activation is"
                f' {activation or "linear"}; give it activation="{advice}"'
            )
            np.testing.assert_array_equal(model.vector.values, before)
    model = net(units, activation).extend([layers.Activation(advice)])  # what the message advises
    assert fit(model, labels, loss=loss)["loss"] == pytest.approx([model.evaluate(X, labels)["loss"]], rel=0.5)


def test_probabilities_behind_other_layers_and_of_ones_own_are_taken():
    class Own(layers.Layer):
        random = False

        def forward_pass(self, x, training=False):
            e = np.exp(x)
            return e / e.sum(axis=1, keepdims=True), ()

        def backward_pass(self, dy, kept, need_dx=True):
            return dy, {}

    labels = np.arange(12) % 3
    for activation, layer in (("softmax", layers.Flatten()), ("softmax", layers.Activation("linear")), (None, Own())):
        model = net(3, activation, layer)
        assert np.isfinite(fit(model, labels, loss=losses.CrossEntropy())["loss"]).all()
    assert isinstance(net(3, "softmax", layers.Flatten()).default_loss(), losses.CrossEntropy)


def test_class_numbers_for_a_network_that_ends_in_scores_get_advice():
    with pytest.raises(LabelError, match=r'for class numbers, let the last layer have activation="softmax"$'):
        fit(net(3), np.arange(12) % 3)
