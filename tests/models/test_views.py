"""Predictions averaged over views of an image: the views made by hand, one forward pass for each."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.errors import ArgumentError, ShapeError


def model(**options):
    stack = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(4, activation="softmax")]
    return mtc.Sequential(stack, input_shape=(6, 5, 2), seed=0, **options)


def moved(image, by):
    """Row i is row i - by, and so are the columns; beyond the edge the image is mirrored at its edge pixels."""
    H, W, _ = image.shape
    rows, columns = (abs(np.arange(size) - by) for size in (H, W))
    rows, columns = (np.where(at < size, at, 2 * size - 2 - at) for at, size in ((rows, H), (columns, W)))
    return image[rows][:, columns]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("names, made", [
    ([], lambda image: [image]),
    (["flip"], lambda image: [image, image[:, ::-1]]),
    (("shift",), lambda image: [moved(image, by) for by in (0, -1, 1)]),
    ({"flip", "shift"}, lambda image: [moved(image, by)[:, ::s] for by in (0, -1, 1) for s in (1, -1)]),
])  # fmt: skip
def test_the_mean_over_views_made_by_hand(names, made, dtype):
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 2)).astype(dtype)
    if dtype == np.float32:
        images /= 255
    net = model(preprocessing=Standardize([120, 130], [60, 70]))
    found = net.predict(images, batch_size=3, average_over=names)
    for image, answer in zip(images, found):
        np.testing.assert_allclose(answer, net.predict(np.stack(made(image))).mean(axis=0), rtol=1e-5, atol=1e-7)
    assert found.dtype == np.float32


def test_several_outputs_are_averaged_each():
    x = mtc.Input((6, 5, 2))
    flat = layers.Flatten()(layers.Conv2D(2, 3)(x))
    net = mtc.Model(x, [layers.Dense(4)(flat), layers.Dense(3)(flat)], seed=0)
    images = np.random.default_rng(0).random((4, 6, 5, 2), dtype=np.float32)
    plain, mirrored = net.predict(images), net.predict(images[:, :, ::-1])
    for found, one, other in zip(net.predict(images, average_over=["flip"]), plain, mirrored):
        np.testing.assert_allclose(found, (one + other) / 2, rtol=1e-6, atol=1e-7)


def test_what_does_not_fit_is_named():
    with pytest.raises(ArgumentError, match="average_over: expected names of flip, shift, got 'turn'"):
        model().predict(np.zeros((1, 6, 5, 2)), average_over=["turn"])
    with pytest.raises(ArgumentError, match="average_over: expected a list of names, got 'flip'"):
        model().predict(np.zeros((1, 6, 5, 2)), average_over="flip")
    dense = mtc.Sequential([layers.Dense(2)], input_shape=(3,), seed=0)
    with pytest.raises(ShapeError, match=r"average_over: expected images \(N, H, W, C\), got \(2, 3\)"):
        dense.predict(np.zeros((2, 3), np.float32), average_over=["flip"])
    x, other = mtc.Input((6, 5, 2)), mtc.Input((6, 5, 2))
    conv = layers.Conv2D(2, 3)(x)
    images = np.zeros((2, 6, 5, 2), np.float32)
    with pytest.raises(ArgumentError, match=r"average_over: expected outputs \(N, K\) .*, got \(N, 4, 3, 2\)"):
        mtc.Model(x, [layers.Flatten()(conv), conv], seed=0).predict(images, average_over=["flip"])
    with pytest.raises(ArgumentError, match="average_over: expected a network with one input"):
        both = layers.Flatten()(layers.Add()([x, other]))
        mtc.Model([x, other], both, seed=0).predict([images, images], average_over=["shift"])
