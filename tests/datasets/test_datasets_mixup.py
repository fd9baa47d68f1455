"""Mixup: images and labels of a batch are mixed in the same shares, reproducibly, and a network trains on them."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.datasets import Augmentation, Batches, Mixup
from minitorch_cnn.errors import ArgumentError


def batches(augment, dtype=np.uint8, **options):
    """Images of one colour, 10 times their label."""
    labels = np.arange(20) % 4
    images = np.broadcast_to((10 * labels)[:, None, None, None], (20, 3, 2, 1)).astype(dtype)
    return Batches(images, labels, 7, seed=3, augment=augment, workers=0, **options)


@pytest.mark.parametrize("dtype, tolerance", [(np.uint8, 0.5), (np.float32, 1e-5)])
def test_images_and_labels_are_mixed_in_the_same_shares(dtype, tolerance):
    """The colour is 10 times the mean label, so the one tells the other."""
    shares = set()
    for epoch in range(3):
        for x, y in batches(Mixup(0.8, classes=4), dtype).epoch(epoch):
            assert x.dtype == dtype and y.shape == (len(x), 4)
            np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)
            colour = np.broadcast_to((y @ (10 * np.arange(4)))[:, None, None, None], x.shape)
            np.testing.assert_allclose(x, colour, atol=tolerance)
            mixed = y[(y > 0).sum(axis=1) == 2]
            shares |= set(mixed.max(axis=1).round(5))
    assert len(shares) == 9 and min(shares) >= 0.5  # one share a batch, of the larger part


def test_the_same_seed_and_any_number_of_processes_give_the_same():
    augment = Mixup(1.0, classes=4, augment=Augmentation(alternate_flip=True, shift=0.4, fill="zero"))
    whole = list(batches(augment).epoch(1))
    parts = [list(batches(augment, rows=rows).epoch(1)) for rows in (lambda n: slice(0, 2), lambda n: slice(2, n))]
    for (x, y), (x_1, y_1), (x_2, y_2), again in zip(whole, *parts, batches(augment).epoch(1)):
        assert np.array_equal(np.concatenate([x_1, x_2]), x) and np.array_equal(np.concatenate([y_1, y_2]), y)
        assert np.array_equal(again[0], x) and np.array_equal(again[1], y)


def test_numbers_are_mixed_as_they_are_and_a_network_trains_on_them():
    rng = np.random.default_rng(0)
    labels = (rng.random(60) < 0.5).astype(np.float32)
    images = (rng.random((60, 4, 4, 1)) + labels[:, None, None, None] - 1).astype(np.float32)
    stack = [layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    model = mtc.Sequential(stack, (4, 4, 1), seed=0)
    model.fit(images, labels, optimizer=optimizers.SGD(0.1), epochs=20, augment=Mixup(0.4), progress=False)
    assert model.evaluate(images, labels)["accuracy"] > 0.9
    two = mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], (4, 4, 1), seed=0)
    options = {"optimizer": optimizers.SGD(0.1), "epochs": 20, "progress": False}
    history = two.fit(images, labels.astype(int), augment=Mixup(0.4, classes=2), **options)
    assert two.evaluate(images, labels)["accuracy"] > 0.9 and history["accuracy"][-1] > 0.7


def test_what_cannot_be_mixed_is_named():
    for arguments, message in (
        ((0,), "Mixup: alpha"),
        ((0.2, 1), "Mixup: classes"),
        ((0.2, 3, abs), "an Augmentation"),
    ):
        with pytest.raises(ArgumentError, match=message):
            Mixup(*arguments)
    with pytest.raises(ArgumentError, match=r"class numbers .* from 0 to 2 as labels"):
        next(batches(Mixup(0.2, classes=3)).epoch(0))
    model = mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], (3, 2, 1), seed=0)
    with pytest.raises(ArgumentError, match="Mixup: expected labels without weights"):
        model.fit(np.zeros((4, 3, 2, 1)), [0, 1, 0, 1], optimizer=optimizers.SGD(0.1), augment=Mixup(0.2, classes=2),
                  sample_weight=[1, 2, 1, 2], progress=False)  # fmt: skip


@pytest.mark.parametrize(
    "units, augment, message",
    [
        ([2], Mixup(), r"expected Mixup\(classes=2\), because the labels are class numbers"),
        ([2], Mixup(classes=3), r"expected Mixup\(classes=2\) for 2 outputs, got classes=3"),
        ([1], Mixup(classes=2), "expected Mixup without classes for one output, got classes=2"),
        ([2, 1], Mixup(), "Mixup: expected a network with one output"),
        ([2], Mixup, r"augment: expected a function \(images, rng\) -> images"),
        ([2], Augmentation, r"augment: expected a function \(images, rng\) -> images"),
    ],
)
def test_fit_says_which_mixup_the_labels_need(units, augment, message):
    x = mtc.Input((3, 2, 1))
    flat = layers.Flatten()(x)
    outputs = [layers.Dense(count, activation="softmax" if count > 1 else "sigmoid")(flat) for count in units]
    labels = [np.array([0, 1, 0, 1])] * len(units)
    model = mtc.Model(x, outputs, seed=0)
    with pytest.raises(ArgumentError, match=message):
        model.fit(np.zeros((4, 3, 2, 1)), labels if len(units) > 1 else labels[0], optimizer="sgd", augment=augment)
