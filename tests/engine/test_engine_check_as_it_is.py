"""The gradient check works on the very layer that it is given: on its methods and settings as they are."""

import copy

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


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("make, x", [
    (lambda: layers.Dense(4, activation="tanh"), ROWS), (lambda: layers.Conv2D(2, 3, strides=2), IMAGES),
    (lambda: layers.BatchNorm(), IMAGES), (lambda: layers.DepthwiseConv2D(2), IMAGES),
])  # fmt: skip
@pytest.mark.parametrize("name", ["backward_pass", "backward_scores"])
def test_a_method_of_the_one_layer_is_checked(make, x, name, built):
    layer = make()
    if not hasattr(layer, name):
        return
    if built:
        layer.forward(x)
    assert gradient_check(copy.deepcopy(layer), x).passed
    report = gradient_check(doubled(layer, name), x)
    assert not report.passed and all("/" in name for name in (element.name for element in report.failures))


def test_an_activation_that_was_changed_is_checked():
    layer = layers.Dense(4, activation="tanh")
    assert gradient_check(layer, ROWS).passed
    layer.activation.backward = lambda dy, y: 5 * dy
    assert not gradient_check(layer, ROWS).passed


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
