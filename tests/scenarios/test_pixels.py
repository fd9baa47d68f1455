"""Photos as NumPy gives them: integers of any type are pixels, and floats up to 255 are not silently taken."""

import warnings

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Caffe, Standardize, Unit

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, optimizers
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.training.learning_rates import find_learning_rate

PHOTOS = np.random.default_rng(0).integers(0, 256, (12, 8, 6, 3), dtype=np.uint8)
LABELS = np.arange(12) % 2
INTEGERS = ["int64", "int32", "uint16", "uint64", "int16"]


def net(preprocessing):
    stack = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")]
    return mtc.Sequential(stack, (8, 6, 3), seed=0, preprocessing=preprocessing)


@pytest.mark.parametrize("preprocessing", [Unit(), Caffe(), Standardize([120, 110, 100], [60, 50, 70])])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_whole_numbers_of_every_type_are_pixels(preprocessing, dtype):
    model, other = net(preprocessing), net(preprocessing)
    expected = model.predict(PHOTOS)
    np.testing.assert_array_equal(model.predict(PHOTOS.astype(dtype)), expected)
    np.testing.assert_array_equal(model.predict(PHOTOS.tolist()), expected)
    assert model.evaluate(PHOTOS.astype(dtype), LABELS) == model.evaluate(PHOTOS, LABELS)
    for each, images in ((model, PHOTOS), (other, PHOTOS.astype(dtype))):
        augment = datasets.Augmentation(flip=True, rotate=10)
        each.fit(images, LABELS, optimizer=optimizers.SGD(0.01), augment=augment, progress=False)
    np.testing.assert_array_equal(model.vector.values, other.vector.values)


def test_floats_up_to_255_get_a_warning_and_preprocessed_ones_none():
    model, ready = net(Unit()), PHOTOS / 255
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = model.predict(ready)
        model.predict(ready.astype(np.float32) * 4 - 2)
        net(None).predict(PHOTOS.astype(float))  # without a preprocessing nothing is left out
    np.testing.assert_allclose(expected, model.predict(PHOTOS), rtol=1e-5)
    with pytest.warns(UserWarning, match=r"floats that look like pixels of 0 to 255; they are used as they are"):
        model.predict(PHOTOS.astype(np.float32))
    with pytest.warns(UserWarning, match="look like pixels"):
        model.fit(PHOTOS.astype(float), LABELS, optimizer=optimizers.SGD(1e-6), progress=False)


def test_bright_photos_are_not_taken_for_pixels_once_they_are_preprocessed():
    """Above the means of the preprocessing by up to 141, in every step, and in the features of a frozen layer."""
    bright = np.full_like(PHOTOS, 240)
    for frozen in (False, True):
        model = net(Caffe())
        if frozen:
            model.freeze(through=next(layer.name for layer in model.layers if layer.parameters))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(bright, LABELS, optimizer=optimizers.SGD(1e-6), progress=False)
            model.unfreeze()
            find_learning_rate(model, bright, LABELS, optimizers.SGD(1.0), steps=10, batch_size=2, progress=False)


@pytest.mark.parametrize("augment", [datasets.Augmentation(flip=True, shift=0.2), datasets.Augmentation(rotate=20)])
def test_the_readme_s_pattern_can_be_augmented(augment):
    """`photos / 255` is float64."""
    trained = []
    for images in (PHOTOS / 255, (PHOTOS / 255).astype(np.float32)):
        model = net(None)
        model.fit(images, LABELS, optimizer=optimizers.SGD(0.1), augment=augment, epochs=2, progress=False)
        trained.append(model.vector.values)
    np.testing.assert_array_equal(*trained)


def test_integers_that_are_no_pixels_are_not_augmented():
    with pytest.raises(ArgumentError, match="Augmentation: expected pixels of 0 to 255, got -3 to 255"):
        datasets.Augmentation(flip=True)(PHOTOS.astype(int) - 3 * (PHOTOS.min() == PHOTOS), np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=r"expected images \(N, H, W, C\) of floats or integers, got bool"):
        datasets.Augmentation(flip=True)(PHOTOS > 100, np.random.default_rng(0))
