"""The gradients on the page of a step: those of the definition of the derivative, in colours that say their sign."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.lessons.image_gradients import image_gradients
from minitorch_cnn.lessons.trace import trace_step
from minitorch_cnn.report import StepPage, step_page
from minitorch_cnn.report.signed import signed_colours, strongest

X = np.random.default_rng(0).standard_normal((2, 7, 6, 3))
LABELS = [2, 0]
H = 1e-5


@pytest.fixture(autouse=True)
def definitions():
    """Nothing has to be compiled for these small arrays."""
    with mtc.definitions_only():
        yield


def network():
    stack = [layers.Conv2D(4, (3, 2), padding="same", activation="tanh"), layers.MaxPool2D(2), layers.Conv2D(3, 2),
             layers.Flatten(), layers.Dense(5, activation="softmax")]  # fmt: skip
    return mtc.Sequential(stack, (7, 6, 3), seed=3, dtype="float64")


def loss_from(model, place, y):
    """The mean cross-entropy of `LABELS` if the layers from number `place` on see y."""
    for layer in model.layers[place:]:
        y = layer.forward(y, False)
    return -np.log(y[np.arange(2), LABELS]).mean()


def quotient(function, array, index):
    """The difference quotient of `function` for one number of `array`."""
    steps = np.zeros_like(array)
    steps[index] = H
    return (function(array + steps) - function(array - steps)) / (2 * H)


@pytest.mark.parametrize("frozen", [None, "max_pool2d_1"])
def test_the_gradients_of_the_maps_and_the_image_are_derivatives_of_the_loss(frozen):
    model = network()
    if frozen:
        model.freeze(through=frozen)
    found = image_gradients(model, X, LABELS, losses.CrossEntropy())
    assert list(found.maps) == ["conv2d_2", "max_pool2d_1", "conv2d_1"] and found.image.shape == (7, 6, 3)
    y = X
    for place, gradient in enumerate([found.image, *(found.maps[layer.name] for layer in model.layers[:3])]):
        y = model.layers[place - 1].forward(y, False) if place else X
        for index in [(0, 0, 0), (1, 1, 2), (1, 0, 1)]:
            expected = quotient(lambda each, at=place: loss_from(model, at, each), y, (0, *index))
            assert gradient[index] == pytest.approx(expected, abs=1e-8), (place, index)
    assert (found.kernel is None) == bool(frozen)
    if not frozen:
        kernel = np.array(model.layers[0].parameters["kernel"])

        def loss_with(changed):
            model.layers[0].parameters["kernel"] = changed
            return loss_from(model, 0, X)

        assert found.kernel_gradient[1, 1, 2, 3] == pytest.approx(quotient(loss_with, kernel, (1, 1, 2, 3)), abs=1e-8)


def pictures(html, words):
    """The pixels of the pictures whose description contains `words`."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]*)" alt="([^"]*)"', html)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"), int) for data, alt in found
            if words in alt]  # fmt: skip


@pytest.mark.parametrize("bgr", [False, True])
def test_the_page_shows_the_engines_gradients_and_their_signs(bgr, read_page):
    model = network()
    step = trace_step(model, X, LABELS, optimizers.SGD(0.1), gradients=True, warm_up=False)
    expected = image_gradients(network(), X, LABELS, losses.CrossEntropy())
    plain = network()  # the same without the trace: dL/dy of a softmax with cross-entropy, and both passes by hand
    y = X
    for layer in plain.layers[:-1]:
        y = layer.forward(y, True)
    scores = y @ plain.layers[-1].parameters["kernel"] + plain.layers[-1].parameters["bias"]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    dy = (shares - np.eye(5)[LABELS]) / 2 @ plain.layers[-1].parameters["kernel"].T
    for layer in reversed(plain.layers[:-1]):
        dy = layer.backward(dy)
    np.testing.assert_allclose(step.gradients.image, dy[0], rtol=1e-9, atol=1e-15)
    html = step_page(StepPage("x", step, labels=["cat"], bgr=bgr))
    text = read_page(html).text
    for array in (expected.image, expected.kernel, expected.kernel_gradient):
        assert f"{array.min():.2e} to {array.max():.2e}" in text
    for name, gradient in expected.maps.items():
        if gradient.shape[2] <= 4:  # all channels are shown
            assert f"{name}, " in text and f"dL/dmap: {gradient.min():.2e} to {gradient.max():.2e}" in text
    assert "change if the activation" in text and "L for the label cat" in text
    (tiles,) = pictures(html, "each channel of the first image")
    size, order = (96 // 7 + 1), (2, 1, 0) if bgr else (0, 1, 2)
    for place, channel in enumerate(order):
        for row, column in np.ndindex(7, 6):
            red, _, blue, _ = tiles[row * size + size // 2, place * (6 * size + 6) + column * size + size // 2]
            value = expected.image[row, column, channel]
            if abs(value) > 0.05 * abs(expected.image).max():
                assert (blue > red) == (value > 0)
    assert len(pictures(html, "the gradients of these maps")) == 3


def test_without_gradients_the_page_has_none(read_page):
    step = trace_step(network(), X, LABELS, optimizers.SGD(0.1), warm_up=False)
    html = step_page(StepPage("x", step))
    assert step.gradients is None and "dL/dmap" not in html and 'id="below"' not in html


def test_colours_and_blocks_of_gradients_computed_by_hand():
    assert signed_colours(np.array([0.0, 1, -1, np.nan, 5])).tolist() == [
        [242, 243, 245], [29, 95, 191], [200, 106, 18], [242, 243, 245], [29, 95, 191]]  # fmt: skip
    assert signed_colours(np.array(0.25)).tolist() == [
        round((a + b) / 2) for a, b in [(242, 29), (243, 95), (245, 191)]
    ]
    array = np.array([[1, -2, 0], [0, 1, -3]])[:, :, None]
    assert strongest(array, 2)[:, :, 0].tolist() == [[-2, -3]] and strongest(array, 1) is array
