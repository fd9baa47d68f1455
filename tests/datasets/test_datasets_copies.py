"""Copies: a fixed number of changed copies of each image, which a frozen base sees once."""

import numpy as np
import pytest

from minitorch_cnn import Sequential, layers, optimizers
from minitorch_cnn.datasets import Augmentation, Copies
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.training.callbacks import Checkpoint

TURN = Augmentation(flip=True, rotate=20, zoom=0.2, shift=0.1, fill="reflect")


def photos(count=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 9, 7, 3), dtype=np.uint8)


def test_the_copies_follow_one_another_and_a_change_of_none_is_the_image():
    images = photos()
    copies = Copies(images, [None, TURN, TURN])
    np.testing.assert_array_equal(Copies(images, [TURN, "mirror"])[5:], images[:, :, ::-1])
    assert copies.shape == (15, 9, 7, 3) and len(copies) == 15
    everything = copies[:]
    np.testing.assert_array_equal(everything[:5], images)
    assert everything.dtype == np.uint8
    assert (everything[5:10] != images).any(axis=(1, 2, 3)).all()
    assert (everything[10:] != everything[5:10]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(copies.labels([3, 1, 4, 1, 5]), [3, 1, 4, 1, 5] * 3)


def test_a_copy_is_the_same_however_it_is_asked_for():
    images, order = photos(), np.array([14, 2, 6, 6, 9, 0])
    copies = Copies(images, [None, TURN, TURN], seed=3)
    np.testing.assert_array_equal(copies[order], copies[:][order])
    np.testing.assert_array_equal(copies[11], copies[10:12][1])
    np.testing.assert_array_equal(copies[np.arange(15) == 7][0], copies[7])
    assert (Copies(images, [None, TURN, TURN], seed=4)[:] != copies[:]).any()


def test_images_that_are_loaded_when_asked_for_are_not_changed_themselves():
    class Lazy:
        def __init__(self, images):
            self.images, self.shape, self.asked = images, images.shape, 0

        def __len__(self):
            return len(self.images)

        def __getitem__(self, rows):
            self.asked += len(rows)
            return self.images[rows]

    images = photos()
    lazy = Lazy(images.copy())
    copies = Copies(lazy, [TURN, TURN])
    assert lazy.asked == 0
    np.testing.assert_array_equal(copies[[7, 1]], Copies(images, [TURN, TURN])[[7, 1]])
    assert lazy.asked == 2
    np.testing.assert_array_equal(lazy.images, images)


def model():
    net = Sequential(
        [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(2, activation="softmax")],
        (9, 7, 3), seed=1,
    )  # fmt: skip
    return net.freeze(through=net.layers[0].name)


def test_a_frozen_base_sees_each_copy_once_and_the_top_learns_as_from_an_array(tmp_path):
    images, labels = photos(12), np.arange(12) % 2
    copies = Copies(images, [None, TURN])
    seen, first = [], model()
    forward = first.layers[0].forward_pass
    first.layers[0].forward_pass = lambda x, training=False: seen.append(len(x)) or forward(x, training)
    first.layers[0].random = False  # else a layer with a method of its own is not cached
    settings = {"epochs": 4, "batch_size": 5, "progress": False}
    first.fit(copies, copies.labels(labels), optimizer=optimizers.SGD(0.01), **settings)
    assert sum(seen) == 24
    second = model()
    second.fit(copies[:], copies.labels(labels), optimizer=optimizers.SGD(0.01), **settings)
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(first.layers[2].parameters[name], second.layers[2].parameters[name])


def test_a_checkpoint_knows_how_the_copies_were_made(tmp_path):
    images, labels, path = photos(), np.arange(5) % 2, tmp_path / "run.npz"

    def fit(copies, epochs):
        settings = {"epochs": epochs, "batch_size": 4, "progress": False, "callbacks": [Checkpoint(path)]}
        resume = path if path.exists() else None
        return model().fit(copies, copies.labels(labels), optimizer=optimizers.SGD(0.01), resume=resume, **settings)

    fit(Copies(images, [None, TURN]), 1)
    with pytest.raises(CheckpointError, match="copies of the training images are changed in another way"):
        fit(Copies(images, [None, "mirror"]), 2)
    with pytest.raises(CheckpointError, match="other pixels"):
        fit(Copies(photos(seed=1), [None, TURN]), 2)
    assert len(fit(Copies(images, [None, TURN]), 2)["loss"]) == 2


@pytest.mark.parametrize(
    "changes, words",
    [
        ([], "expected at least one, got none"),
        ([None, "flip"], "expected an Augmentation, 'mirror' or None, got 'flip'"),
    ],
)
def test_changes_of_another_kind_are_refused(changes, words):
    with pytest.raises(ArgumentError, match=words):
        Copies(photos(), changes)


def test_labels_for_another_number_of_images_are_refused():
    with pytest.raises(ArgumentError, match="expected a label for each of 5 images, got 4"):
        Copies(photos(), [None, "mirror"]).labels([0, 1, 0, 1])
