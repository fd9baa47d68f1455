"""Grad-CAM: a network small enough for paper, the weights by finite differences, and a model that is left alone."""

import re

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Unit

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.gradients.grad_cam import grad_cam, resize


def normal(shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def paper_model(dtype="float64"):
    """A 1x1 convolution that copies x and 10 - x into two channels; each class looks at one of them.

    A[..., 0] = relu(x),  A[..., 1] = relu(10 - x)
    s_0 = sum of A[..., 0],  s_1 = 2 * sum of A[..., 1],  s_2 = -sum of A[..., 0] - sum of A[..., 1]
    """
    stack = [
        layers.Conv2D(2, 1, activation="relu", name="conv"),
        layers.Flatten(),
        layers.Dense(3, "softmax", name="top"),
    ]
    model = mtc.Sequential(stack, (2, 2, 1), dtype=dtype)
    model.get_layer("conv").parameters["kernel"] = np.reshape([1, -1], (1, 1, 1, 2))
    model.get_layer("conv").parameters["bias"] = [0, 10]
    model.get_layer("top").parameters["kernel"] = [[1, 0, -1], [0, 2, -1]] * 4
    return model


IMAGE = np.reshape([0.0, 2.0, 4.0, 8.0], (2, 2, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("output", "heat"),
    [
        (0, [[0, 0.25], [0.5, 1]]),  # the weights are (1, 0): the map is x itself, over its largest, 8
        (1, [[1, 0.8], [0.6, 0.2]]),  # (0, 2): 20, 16, 12, 4 over 20
        (2, [[0, 0], [0, 0]]),  # (-1, -1): nothing speaks for it
        (None, [[1, 0.8], [0.6, 0.2]]),  # the scores are 14, 52 and -40
    ],
)
def test_on_paper(output, heat, dtype):
    found = grad_cam(paper_model(dtype), IMAGE, "conv", output)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, heat, rtol=1e-6)


def single_output_model(weight, activation="sigmoid"):
    stack = [layers.Conv2D(1, 1, name="conv"), layers.GlobalAveragePool2D(), layers.Dense(1, activation, name="top")]
    model = mtc.Sequential(stack, (2, 2, 1), dtype="float64")
    model.get_layer("conv").parameters["kernel"] = np.ones((1, 1, 1, 1))
    model.get_layer("top").parameters["kernel"] = [[weight]]
    return model


@pytest.mark.parametrize("weight", [2.0, -2.0, 500.0, -500.0])
def test_a_single_output_speaks_for_two_classes(weight):
    """s = weight * mean of x; at 500 the sigmoid is 1 to the last bit and has no gradient, its score has."""
    found = {output: grad_cam(single_output_model(weight), IMAGE, "conv", output) for output in (0, 1, None)}
    for_it, against_it = (1, 0) if weight > 0 else (0, 1)
    np.testing.assert_allclose(found[for_it], IMAGE[:, :, 0] / 8)
    assert not found[against_it].any()
    np.testing.assert_array_equal(found[None], found[for_it])


def test_an_activation_layer_at_the_end_is_left_out_as_well():
    inside = single_output_model(500.0)
    apart = mtc.Sequential(
        [layers.Conv2D(1, 1, name="conv"), layers.GlobalAveragePool2D(), layers.Dense(1, name="top"), layers.Sigmoid()],
        (2, 2, 1),
        dtype="float64",
    )
    for name in ("conv", "top"):
        apart.get_layer(name).parameters["kernel"] = inside.get_layer(name).parameters["kernel"]
    np.testing.assert_array_equal(grad_cam(apart, IMAGE, "conv"), grad_cam(inside, IMAGE, "conv"))


def test_a_model_may_end_without_an_activation_layer():
    model = mtc.Sequential([layers.Conv2D(3, 1, name="conv"), layers.GlobalAveragePool2D()], (2, 2, 1), dtype="float64")
    model.get_layer("conv").parameters["kernel"] = np.reshape([1, 2, -1], (1, 1, 1, 3))
    np.testing.assert_allclose(grad_cam(model, IMAGE, "conv"), IMAGE[:, :, 0] / 8)  # class 1, its own channel alone


def deep_model(frozen=(), dtype="float64", outputs=3):
    """Every kind of layer between a feature map and the scores; a pool never meets the ties that a ReLU makes."""
    stack = [
        layers.Conv2D(4, 3, activation="tanh", name="conv1"),
        layers.BatchNorm(name="norm"),
        layers.MaxPool2D(2, name="pool1"),
        layers.Conv2D(5, 3, padding="same", activation="relu", name="conv2"),
        layers.AveragePool2D(2, strides=1, name="pool2"),
        layers.Dropout(0.5, name="drop"),
        layers.Flatten(name="flatten"),
        layers.Dense(6, "relu", name="hidden"),
        layers.Dense(outputs, "softmax" if outputs > 1 else "sigmoid", name="top"),
    ]
    for layer in stack:
        layer.trainable = layer.name not in frozen
    return mtc.Sequential(stack, (12, 10, 2), seed=4, dtype=dtype)


PHOTO = normal((12, 10, 2), 1)


def by_differences(model, image, name, output, step=1e-5):
    """The heat before it is resized, from nothing but forward passes of the layers above the map."""
    place = model.layers.index(model.get_layer(name))

    def score(feature_map):
        x = feature_map[None]
        for layer in model.layers[place + 1 : -1]:
            x = layer.forward(x, False)
        top = model.layers[-1]
        scores = (x @ top.parameters["kernel"] + top.parameters["bias"])[0]
        return scores[output] if len(scores) > 1 else scores[0] * (1 if output else -1)

    x = image[None]
    for layer in model.layers[: place + 1]:
        x = layer.forward(x, False)
    feature_map, slopes = x[0], np.zeros(x.shape[1:])
    for index in np.ndindex(*feature_map.shape):
        shift = np.zeros(feature_map.shape)
        shift[index] = step
        slopes[index] = (score(feature_map + shift) - score(feature_map - shift)) / (2 * step)
    heat = np.zeros(feature_map.shape[:2])
    for channel in range(feature_map.shape[2]):
        heat += slopes[:, :, channel].mean() * feature_map[:, :, channel]
    return np.where(heat > 0, heat, 0) / max(heat.max(), 1e-300)


@pytest.mark.parametrize("layer", ["conv1", "norm", "pool1", "conv2", "pool2", "drop"])
@pytest.mark.parametrize(("outputs", "output"), [(3, 0), (3, 2), (1, 0), (1, 1)])
def test_the_weights_are_those_of_finite_differences(layer, outputs, output):
    model = deep_model(outputs=outputs)
    wanted = by_differences(model, PHOTO, layer, output)
    found = grad_cam(model, PHOTO, layer, output)
    np.testing.assert_allclose(found, resize(wanted, 12, 10), atol=2e-6)


@pytest.mark.parametrize("frozen", [("conv1", "norm", "conv2"), ("conv2", "hidden"), ("hidden", "top"), ("top",)])
def test_frozen_layers_change_nothing(frozen):
    wanted = grad_cam(deep_model(), PHOTO, "conv2", 1)
    assert wanted.any()
    np.testing.assert_array_equal(grad_cam(deep_model(frozen), PHOTO, "conv2", 1), wanted)


def test_float32_is_float64_rounded():
    single, double = (grad_cam(deep_model(dtype=dtype), PHOTO, "conv2", 1) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_pixels_go_through_the_preprocessing():
    model = paper_model()
    model.preprocessing = Unit()
    pixels = np.reshape([0, 51, 102, 255], (2, 2, 1)).astype(np.uint8)
    np.testing.assert_allclose(grad_cam(model, pixels, "conv", 0), [[0, 0.2], [0.4, 1]], rtol=1e-6)
    np.testing.assert_allclose(grad_cam(model, pixels.tolist(), "conv", 0), [[0, 0.2], [0.4, 1]], rtol=1e-6)


def test_a_training_never_notices():
    x, labels, loss = normal((6, 12, 10, 2), 2), [0, 2, 1, 2, 2, 0], losses.CrossEntropy()

    def train(look):
        model, optimizer = deep_model(("conv1",)), optimizers.SGD(0.1, momentum=0.9)
        for _ in range(3):
            look(model)
            model.train_step(x, labels, loss, optimizer)
        look(model)
        return model

    watched = train(lambda model: grad_cam(model, PHOTO, "conv2"))
    alone = train(lambda model: None)
    for (key, array), other in zip(watched.state().items(), alone.state().values()):
        assert np.asarray(array).tobytes() == np.asarray(other).tobytes(), key
    for layer, other in zip(watched.layers, alone.layers):
        assert layer.trainable == other.trainable
        assert layer.gradients.keys() == other.gradients.keys()
        assert all(np.array_equal(layer.gradients[name], other.gradients[name]) for name in layer.gradients)


@pytest.mark.parametrize("image", [PHOTO, normal((3, 3, 3))], ids=["right", "refused"])
def test_it_may_come_between_forward_and_backward(image):
    x, dy = normal((2, 12, 10, 2), 2), normal((2, 3), 3)
    alone, watched = deep_model(), deep_model()
    alone.forward(x)
    wanted = alone.backward(dy)
    watched.forward(x)
    try:
        grad_cam(watched, image, "conv1")
    except ArgumentError:
        assert image is not PHOTO
    np.testing.assert_array_equal(watched.backward(dy), wanted)
    for layer, other in zip(watched.layers, alone.layers):
        assert all(np.array_equal(layer.gradients[name], other.gradients[name]) for name in other.gradients)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "conv9"}, "no layer is called 'conv9'; there are conv1, norm, .*, top"),
        ({"layer": "hidden"}, r"hidden: expected a layer that puts out a feature map \(h, w, C\), got \(6,\)"),
        ({"output": 3}, "grad_cam: output: expected a class from 0 to 2, got 3"),
        ({"output": -1}, "grad_cam: output: expected a class from 0 to 2, got -1"),
        ({"output": "dog"}, "grad_cam: output: expected a class from 0 to 2, got 'dog'"),
        ({"image": PHOTO[1:]}, r"grad_cam: expected an image of shape \(12, 10, 2\), got \(11, 10, 2\)"),
        ({"image": PHOTO[None]}, r"grad_cam: expected an image of shape \(12, 10, 2\), got \(1, 12, 10, 2\)"),
        ({"model": deep_model(outputs=1), "output": 2}, "grad_cam: output: expected a class from 0 to 1, got 2"),
        (
            {"model": mtc.Sequential([layers.Conv2D(2, 3, name="conv2")])},
            "grad_cam: expected a model that has its shapes; give Sequential an input_shape",
        ),
        (
            {"model": mtc.Sequential([layers.Conv2D(2, 3, name="conv2")], (12, 10, 2))},
            r"grad_cam: expected a model that puts out \(classes,\), got \(10, 8, 2\)",
        ),
    ],
    ids=range(10),
)
def test_what_cannot_be_explained_is_refused_in_one_line(change, message):
    with pytest.raises(ArgumentError) as error:
        grad_cam(**({"model": deep_model(), "image": PHOTO, "layer": "conv2"} | change))
    assert re.fullmatch(message, str(error.value))


@pytest.mark.parametrize(
    ("small", "large"), [((1, 1), (3, 5)), ((4, 4), (150, 149)), ((3, 2), (7, 7)), ((5, 6), (5, 6))]
)
def test_resizing_is_that_of_pillow(small, large):
    from PIL import Image

    heat = np.random.default_rng(0).random(small).astype(np.float32)
    wanted = Image.fromarray(heat).resize(large[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(resize(heat, *large), np.asarray(wanted), atol=1e-6)


def test_the_heat_lies_between_0_and_1():
    for seed in range(20):
        heat = grad_cam(deep_model(dtype="float32"), normal((12, 10, 2), seed), "conv2")
        assert heat.shape == (12, 10)
        assert 0 <= heat.min() <= heat.max() <= 1
