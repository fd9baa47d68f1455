"""Loss and activation are differentiated together only while both are what that derivative was made for."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.engine import activations
from minitorch_cnn.network.joint import joint
from minitorch_cnn.parallel.share import Weighted
from minitorch_cnn.training.weights import SampleWeighted

RNG = np.random.default_rng(4)
X, LABELS, WEIGHTS = RNG.standard_normal((4, 6)), np.array([2, 0, 1, 2]), np.array([1.0, 0.5, 2.0, 3.0])


def model(activation="softmax", units=3):
    return mtc.Sequential([layers.Dense(units, activation=activation)], (6,), seed=1, dtype="float64")


class Value(losses.CrossEntropy):
    def value_and_gradient(self, prediction, labels, weights=None):
        value, gradient = super().value_and_gradient(prediction, labels, weights)
        return 3 * value, 3 * gradient


class Prediction(losses.CrossEntropy):
    def of_prediction(self, *arguments):
        value, gradient = super().of_prediction(*arguments)
        return 3 * value, 3 * gradient


class Both(losses.CrossEntropy):
    def of_prediction(self, *arguments):
        return tuple(3 * each for each in super().of_prediction(*arguments))

    def of_scores(self, *arguments):
        return tuple(3 * each for each in super().of_scores(*arguments))


class Inherits(Value):
    pass


@pytest.mark.parametrize("kind, together", [
    (losses.CrossEntropy, True), (Value, False), (Prediction, False), (Both, True), (Inherits, False),
])  # fmt: skip
def test_a_loss_of_a_subclass_is_the_one_that_trains(kind, together):
    net, times = model(), 1 if kind is losses.CrossEntropy else 3
    assert joint(kind(), net.layers[-1]) is together
    right = model()
    wanted = right.loss_and_gradients(X, LABELS, losses.CrossEntropy())
    assert net.loss_and_gradients(X, LABELS, kind()) == pytest.approx(times * wanted)
    np.testing.assert_allclose(net.layers[0].gradients["kernel"], times * right.layers[0].gradients["kernel"])
    weighed = net.evaluate(X, LABELS, kind(), sample_weight=WEIGHTS)["loss"]
    assert weighed == pytest.approx(times * right.evaluate(X, LABELS, sample_weight=WEIGHTS)["loss"])


def test_a_wrong_gradient_of_such_a_loss_is_found():
    class Wrong(losses.CrossEntropy):
        def of_prediction(self, *arguments):
            value, gradient = super().of_prediction(*arguments)
            return value, 2 * gradient

    assert mtc.gradient_check(model(), X, LABELS, losses.CrossEntropy()).passed
    assert not mtc.gradient_check(model(), X, LABELS, Wrong()).passed


@pytest.mark.parametrize("name", ["value_and_gradient", "of_prediction"])
@pytest.mark.parametrize("where", ["object", "class"])
def test_a_method_put_into_a_loss_runs(name, where, monkeypatch):
    loss = losses.CrossEntropy()
    holder = loss if where == "object" else losses.CrossEntropy
    monkeypatch.setattr(holder, name, lambda *arguments: (7.0, np.zeros((4, 3))), raising=False)
    net = model()
    assert net.loss_and_gradients(X, LABELS, loss) == 7.0
    assert not net.layers[0].gradients["kernel"].any()


@pytest.mark.parametrize("wrap", [lambda loss: SampleWeighted(loss, WEIGHTS), lambda loss: Weighted(loss, Share())])
def test_a_loss_that_is_weighted_is_looked_into(wrap):
    net = model()
    assert joint(wrap(losses.CrossEntropy()), net.layers[-1])
    assert not joint(wrap(Value()), net.layers[-1])


class Share:
    images, whole = 1, 2


class Temperature(activations.Softmax):
    def forward(self, x):
        return super().forward(x / 5)

    def backward(self, dy, y):
        return super().backward(dy, y) / 5


def test_a_subclass_of_softmax_is_the_one_that_trains(monkeypatch):
    net = model()
    net.layers[-1].activation = Temperature()
    p = net.predict(X)[np.arange(4), LABELS]
    assert net.evaluate(X, LABELS)["loss"] == pytest.approx(-np.log(p).mean())
    assert mtc.gradient_check(net, X, LABELS).passed
    monkeypatch.setattr(Temperature, "backward", lambda self, dy, y: activations.Softmax.backward(self, dy, y))
    assert not mtc.gradient_check(net, X, LABELS).passed


def test_a_sigmoid_as_well():
    class Steep(activations.Sigmoid):
        def forward(self, x):
            return super().forward(3 * x)

    net, labels = model("sigmoid", 1), np.array([1, 0, 0, 1])
    assert joint(losses.BinaryCrossEntropy(), net.layers[-1])
    net.layers[-1].activation = Steep()
    p = net.predict(X)[:, 0]
    wanted = -np.log(np.where(labels, p, 1 - p)).mean()
    assert net.evaluate(X, labels)["loss"] == pytest.approx(wanted)


class Slots:
    """A loss of one's own without a `__dict__`."""

    __slots__ = ("last",)
    follows = "softmax"

    def value_and_gradient(self, prediction, labels, weights=None):
        return losses.CrossEntropy().value_and_gradient(prediction, labels, weights)

    def from_scores(self, scores, labels, weights=None):
        return losses.CrossEntropy().from_scores(scores, labels, weights)


class Remembers(losses.CrossEntropy):
    """Keeps its last value under a name that means another loss in one that weights it."""

    loss = None

    def value_and_gradient(self, prediction, labels, weights=None):
        value, gradient = super().value_and_gradient(prediction, labels, weights)
        self.loss = value
        return value, gradient


@pytest.mark.parametrize("kind", [Slots, Remembers])
def test_a_loss_of_ones_own_may_be_of_any_kind(kind):
    net, right, loss = model(), model(), kind()
    for _ in range(2):
        value = net.train_step(X, LABELS, loss, mtc.optimizers.SGD(0.1))
        wanted = right.train_step(X, LABELS, losses.CrossEntropy(), mtc.optimizers.SGD(0.1))
        assert value == pytest.approx(wanted)
