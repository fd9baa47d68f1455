"""The table of a model, against numbers worked out by hand, and the small parts beside the model."""

import io
import re
import warnings

import numpy as np
import pytest
from engine_helpers import one_line
from minitorch_cnn.preprocessing import KINDS, Caffe, Standardize, Unit, from_config

import minitorch_cnn as mtc
from minitorch_cnn import layers, metrics, models
from minitorch_cnn.errors import ArgumentError

# The CIFAR-10 ConvNet: layer, output, parameters, numbers kept for backward, numbers in its columns, all for one image
CIFAR10 = [
    ("conv2d_1", "32x32x32", 3 * 3 * 3 * 32 + 32, 32 * 32 * 32, 32 * 32 * 27),
    ("conv2d_2", "32x32x32", 3 * 3 * 32 * 32 + 32, 32 * 32 * 32, 32 * 32 * 288),
    ("max_pool2d_1", "16x16x32", 0, 16 * 16 * 32, 0),
    ("conv2d_3", "16x16x64", 3 * 3 * 32 * 64 + 64, 16 * 16 * 64, 16 * 16 * 288),
    ("conv2d_4", "14x14x64", 3 * 3 * 64 * 64 + 64, 14 * 14 * 64, 14 * 14 * 576),
    ("max_pool2d_2", "7x7x64", 0, 7 * 7 * 64, 0),
    ("flatten_1", "3136", 0, 0, 0),
    ("dense_1", "512", 3136 * 512 + 512, 512, 0),
    ("dense_2", "10", 512 * 10 + 10, 10, 0),
]


def printed(model, batch_size=32):
    text = io.StringIO()
    model.summary(batch_size, file=text)
    return text.getvalue()


def mib(numbers, itemsize=4):
    return f"{numbers * itemsize / 2**20:.1f} MiB"


@pytest.mark.parametrize("batch_size", [1, 32, 100])
def test_the_cifar10_convnet(batch_size):
    text = printed(models.cifar10(dropout=False), batch_size)
    rows = [re.split(r"  +", line.strip()) for line in text.splitlines()]
    for (name, shape, parameters, kept, columns), row in zip(CIFAR10, rows[2:], strict=False):
        assert row[0] == name and row[2] == shape and row[3] == f"{parameters:,}"
        assert row[-2] == mib(kept * batch_size)
        assert row[-1] == (mib(columns * batch_size) if columns else "-")
        assert ("trained" in row) == (parameters > 0)
    assert [row[1] for row in rows[2:5]] == [
        "Conv2D 32 of 3x3, same, relu", "Conv2D 32 of 3x3, same, relu", "MaxPool2D 2x2",
    ]  # fmt: skip
    assert "input 32x32x3, 1,676,842 parameters, 1,676,842 trained, 0 not trained" in text
    assert f"with {batch_size} images keeps {mib(sum(row[3] for row in CIFAR10) * batch_size)}" in text
    assert f"at once would be {mib(sum(row[4] for row in CIFAR10) * batch_size)}" in text
    fused = 32 * 32 * 32 + 14 * 14 * 64
    assert f"\n{mib(fused * batch_size)} of them are never written on the CPU" in text


def test_dropout_has_no_parameters_of_its_own():
    assert "1,676,842 parameters" in printed(models.cifar10(dropout=True))
    assert sum(layer.count_parameters() for layer in models.cifar10().layers) == 1_676_842


def test_frozen_layers_in_the_table():
    model = models.cifar10(dropout=False)
    for name in ("conv2d_1", "conv2d_2", "conv2d_4", "dense_1"):
        model.get_layer(name).trainable = False
    text = printed(model)
    states = {line.split()[0]: line for line in text.splitlines()[2:11]}
    for name in ("conv2d_1", "conv2d_2", "max_pool2d_1"):
        assert "not visited" in states[name] and "0.0 MiB" in states[name]
    for name in ("conv2d_4", "dense_1"):
        assert "frozen, gradient passes" in states[name] and "0.0 MiB" not in states["conv2d_4"]
    for name in ("conv2d_3", "dense_2"):
        assert "trained" in states[name]
    assert f"\n{mib(32 * 14 * 14 * 64)} of them are never written" in text  # conv2d_2 keeps nothing anyway
    trained = CIFAR10[3][2] + CIFAR10[8][2]
    assert f"{trained:,} trained, {1_676_842 - trained:,} not" in text


def test_statistics_are_not_trained():
    model = mtc.Sequential([layers.Conv2D(4, (2, 3), (1, 2), ((1, 0), (0, 0))), layers.BatchNorm()], (5, 7, 3))
    text = printed(model)
    assert "92 parameters, 84 trained, 8 not" in text  # 2*3*3*4 + 4, and four times 4 of which two are moving
    assert "Conv2D 4 of 2x3 / 1x2, pad ((1, 0), (0, 0)), linear" in text


def test_float64_takes_twice_the_memory():
    stack = [layers.Conv2D(64, 3, padding="same"), layers.Flatten(), layers.Dense(3)]
    assert mib(64 * 64 * 64 * 10 + 30, 8) in printed(mtc.Sequential(stack, (64, 64, 1), dtype="float64"), 10)


# Preprocessing.

PIXELS = np.array([[[[0, 100, 200]], [[10, 100, 255]]]], np.uint8)  # (1, 2, 1, 3)


@pytest.mark.parametrize(
    "preprocessing, wanted",
    [
        (Unit(), [[0, 100 / 255, 200 / 255], [10 / 255, 100 / 255, 1]]),
        (Standardize([5, 100, 0], [2, 1, 10]), [[-2.5, 0, 20], [2.5, 0, 25.5]]),
        (Caffe(), [[200 - 103.939, 100 - 116.779, -123.68], [255 - 103.939, 100 - 116.779, 10 - 123.68]]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_preprocessing_by_hand(preprocessing, wanted, dtype):
    before = PIXELS.copy()
    for one in (preprocessing, from_config(preprocessing.config())):
        got = one(PIXELS, dtype)
        assert got.dtype == dtype and got.shape == PIXELS.shape
        np.testing.assert_allclose(got[0, :, 0], wanted, rtol=0, atol=1e-4 if dtype == "float32" else 1e-12)
    assert np.array_equal(PIXELS, before)


def test_standardize_of_images():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 3)).astype(np.uint8)
    images[..., 1] = 7
    one = Standardize.of(images)
    result = one(images, "float64")
    np.testing.assert_allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(result.std(axis=(0, 1, 2)), [1, 0, 1], atol=1e-12)
    assert one.std[1] == 1 and set(KINDS) == {"standardize", "unit", "caffe"} and from_config(None) is None


@pytest.mark.parametrize("images", [
    [[1, "a"]], np.zeros((0, 4, 4, 3)), np.array(3.0), "photo.png", None, np.zeros((2, 3, 3, 3), complex),
    np.full((2, 3, 3, 3), np.nan), [np.zeros((2, 3, 3)), np.zeros((2, 2, 3))],
])  # fmt: skip
def test_standardize_of_what_are_no_images(images):
    with warnings.catch_warnings(), pytest.raises(ArgumentError) as error:
        warnings.simplefilter("error")
        Standardize.of(images)
    assert one_line(error, "expected", "got")
    pixels = PIXELS.astype(np.uint8)
    assert Standardize.of(list(pixels)).config() == Standardize.of(pixels).config()


def test_a_preprocessing_that_is_not_known():
    with pytest.raises(ArgumentError) as error:
        from_config({"kind": "whiten"})
    assert one_line(error, "standardize", "'whiten'")


# Metrics.


@pytest.mark.parametrize(
    "prediction, labels, classes, correct",
    [
        ([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0, 0, 1]], [1, 2, 2], [1, 0, 2], 2),
        ([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0, 0, 1]], [[0, 1, 0], [1, 0, 0], [1, 0, 0]], [1, 0, 2], 2),
        ([[0.1, 0.7], [0.5, 0.5]], [[1], [0]], [1, 0], 2),
        ([[0.4], [0.6], [0.5]], [0, 1, 1], [0, 1, 0], 2),
        ([[0.4], [0.6], [0.5]], [[1], [1], [0]], [0, 1, 0], 2),
    ],
)
def test_right_answers(prediction, labels, classes, correct):
    prediction = np.array(prediction)
    assert metrics.predicted_classes(prediction).tolist() == classes
    assert metrics.right_classes(prediction, np.array(labels)).sum() == correct


def test_confusion_matrix():
    matrix = metrics.confusion_matrix([0, 0, 1, 2, 2, 2], [0, 2, 1, 2, 2, 0], 4)
    assert matrix.tolist() == [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def test_class_probabilities():
    two = np.array([[0.25, 0.75], [1, 0]])
    assert metrics.class_probabilities(two) is two
    assert metrics.class_probabilities(np.array([[0.25], [1]])).tolist() == [[0.75, 0.25], [0, 1]]
