"""The gradient check works on the very layer that it is given: on its methods and settings as they are."""

import copy
import threading

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.engine.layers import Layer
from minitorch_cnn.gradients.check import gradient_check

ROWS = np.random.default_rng(2).standard_normal((3, 7))
IMAGES = np.random.default_rng(3).standard_normal((2, 6, 5, 3))


def doubled(layer, name):
    """`layer` with its backward method `name` replaced by one that returns twice the gradients."""
    right = getattr(layer, name)

    def mine(dy, *arguments, **options):
        found = right(dy, *arguments, **options)
        if name == "backward":  # it leaves the gradients in the layer
            layer.gradients = {key: 2 * array for key, array in layer.gradients.items()}
            return found
        dx, gradients = found
        return dx, {key: 2 * array for key, array in gradients.items()}

    setattr(layer, name, mine)
    return layer


class Scale(Layer):
    """Without `config`, so that its factor is known to the object alone; its backward is right for 1."""

    random = False

    def __init__(self, factor=1.0, name=None, trainable=True):
        super().__init__(name, trainable)
        self.factor = factor

    def forward(self, x, training=False):
        self.cache = x
        return self.factor * x

    def backward(self, dy, need_dx=True):
        return dy


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("make, x, name", [
    (lambda: layers.Dense(4, activation="tanh"), ROWS, "backward_pass"),
    (lambda: layers.Dense(4, activation="tanh"), ROWS, "backward_scores"),
    (lambda: layers.Conv2D(2, 3, strides=2), IMAGES, "backward_pass"),
    (lambda: layers.Conv2D(2, 3, strides=2), IMAGES, "backward_scores"),
    (lambda: layers.BatchNorm(), IMAGES, "backward_pass"), (lambda: layers.DepthwiseConv2D(2), IMAGES, "backward_pass"),
])  # fmt: skip
def test_a_method_of_the_one_layer_is_checked(make, x, name, built):
    layer = make()
    if built:
        layer.forward(x)
    assert gradient_check(copy.deepcopy(layer), x).passed
    report = gradient_check(doubled(layer, name), x)
    assert not report.passed and all("/" in name for name in (element.name for element in report.failures))


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("name", ["forward_pass", "backward_pass", "scores", "backward_scores", "forward", "backward"])
def test_a_method_that_only_calls_the_one_before_it_is_right(name, built):
    """The one before belongs to this very layer: beside a copy it would compute with other weights."""
    for layer, x in ((layers.Dense(4, activation="relu"), ROWS), (layers.Conv2D(2, 3), IMAGES)):
        if built:
            layer.forward(x)
        right = getattr(layer, name)
        setattr(layer, name, lambda *arguments, right=right, **options: right(*arguments, **options))
        report = gradient_check(layer, x, training=True)
        assert report.passed and not report.verdict, report
        assert built is (layer.input_shape is not None) and not layer.in_model
        if built:  # it stays a layer on its own
            continue
        model = mtc.Sequential([layer, layers.Flatten(), layers.Dense(2)], x.shape[1:], seed=0)
        assert gradient_check(model, x).passed
        assert model.dtype == np.float32 and model.predict(x.astype(np.float32)).dtype == np.float32


def test_statistics_and_what_was_kept_stay_as_they_were():
    layer = layers.BatchNorm()
    right = layer.forward_pass
    layer.forward_pass = lambda x, training=False: right(x, training)
    layer.forward(IMAGES, training=True)
    before = layer.parameters["moving_mean"].copy()
    assert gradient_check(layer, 2 * IMAGES, training=True).passed
    np.testing.assert_array_equal(layer.parameters["moving_mean"], before)
    assert layer.backward(np.ones_like(IMAGES)).shape == IMAGES.shape
    model = mtc.Sequential([layers.Dense(3), layers.Dropout(0.5), layers.Dense(2)], (7,), seed=4)
    same = mtc.Sequential([layers.Dense(3), layers.Dropout(0.5), layers.Dense(2)], (7,), seed=4)
    gradient_check(model, ROWS, training=True)
    values = model.vector.values
    gradient_check(model, ROWS, training=True)
    assert model.vector.values is values and np.array_equal(values, same.vector.values)
    np.testing.assert_array_equal(model.forward(ROWS, True), same.forward(ROWS, True))


class Locked(layers.Dense):
    """Holds what cannot be copied."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lock, self.module = threading.Lock(), np


def test_a_layer_that_cannot_be_copied_is_checked():
    assert gradient_check(Locked(3), ROWS).passed
    assert gradient_check(mtc.Sequential([Locked(3), Locked(2)], (7,), seed=0), ROWS).passed


class NeedsDx(layers.Dense):
    def backward_scores(self, dscores, kept, need_dx=True):
        dx, gradients = super().backward_scores(dscores, kept, need_dx)
        return 1 * dx, gradients


def test_a_layer_that_cannot_do_without_dx_is_found():
    report = gradient_check(NeedsDx(3), ROWS)
    assert report.verdict.startswith("backward with need_dx=False is stopped by TypeError: unsupported operand")


def test_an_activation_that_was_changed_is_checked():
    layer = layers.Dense(4, activation="tanh")
    assert gradient_check(layer, ROWS).passed
    layer.activation.backward = lambda dy, y: 5 * dy
    assert not gradient_check(layer, ROWS).passed


def test_a_setting_that_no_config_tells_is_checked():
    layer = Scale()
    assert gradient_check(layer, ROWS).passed
    layer.factor = 3.0
    assert not gradient_check(layer, ROWS).passed and not gradient_check(Scale(3.0), ROWS).passed


def test_the_layer_stays_as_it_was():
    layer = layers.Conv2D(2, 3, activation="relu", name="own")
    y = layer.forward(IMAGES.astype(np.float32))
    before = {name: array.copy() for name, array in layer.parameters.items()}
    assert gradient_check(layer, IMAGES).passed
    np.testing.assert_array_equal(layer.forward(IMAGES.astype(np.float32)), y)
    assert all(np.array_equal(array, before[name]) for name, array in layer.parameters.items())
    unbuilt = layers.Dense(3)
    gradient_check(unbuilt, ROWS)
    assert unbuilt.input_shape is None


class WrongAtTheBottom(layers.Dense):
    """Wrong only where no gradient of the input is asked for, as in the lowest layer of a training."""

    def backward_scores(self, dscores, kept, need_dx=True):
        dx, gradients = super().backward_scores(dscores, kept, need_dx)
        return dx, gradients if need_dx else {name: 2 * array for name, array in gradients.items()}


def test_a_layer_that_is_wrong_only_without_dx_is_found():
    report = gradient_check(WrongAtTheBottom(4, name="low"), ROWS)
    assert not report.passed and not report.failures
    words = "backward with need_dx=False gives another gradient for low/kernel, low/bias"
    assert report.verdict == words and words in str(report)
    model = mtc.Sequential([WrongAtTheBottom(4, name="low"), layers.Dense(2)], (7,), seed=0)
    assert gradient_check(model, ROWS).verdict == words
    assert not gradient_check(model, ROWS, np.zeros((3, 2))).passed
