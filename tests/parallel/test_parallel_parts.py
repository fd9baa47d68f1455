"""The computations that make a share an exact part of the whole batch, without MPI."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minitorch_cnn import Sequential, datasets, layers, losses, optimizers
from minitorch_cnn.datasets import Batches
from minitorch_cnn.engine.layers.dropout import drop
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.parallel import Alone, Part, Weighted
from minitorch_cnn.runs.resuming import gather_skipped
from minitorch_cnn.training.diagnosis import NotFinite
from minitorch_cnn.training.shared_step import SharedStep


class One(Alone):
    """One rank of several, for tests that do not communicate."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@given(st.integers(1, 9), st.integers(0, 40))
def test_shares_contain_every_image_once(size, images):
    shares = [One(rank, size).share(images) for rank in range(size)]
    covered = [index for share in shares for index in range(share.first, share.stop)]
    assert covered == list(range(images))
    assert max(share.images for share in shares) - min(share.images for share in shares) <= 1


@given(st.integers(1, 7), st.integers(1, 20))
@settings(deadline=None)
def test_weighted_gradients_add_up_to_the_batchs(size, images):
    rng = np.random.default_rng(images)
    scores, labels = rng.normal(size=(images, 4)), rng.integers(0, 4, images)
    loss = losses.CrossEntropy()
    value, gradient = loss.from_scores(scores, labels)
    total, pieces = 0.0, []
    for rank in range(size):
        share = One(rank, size).share(images)
        part, piece = Weighted(loss, share).from_scores(scores[share.rows], labels[share.rows])
        total += part * share.images
        if share.images:
            pieces.append(piece)
        else:
            assert not piece.any()
    assert total / images == pytest.approx(value)
    np.testing.assert_allclose(np.concatenate(pieces), gradient)


@given(st.integers(0, 3 * 35), st.integers(1, 60), st.sampled_from([drop, drop.definition]))
@settings(deadline=None)
def test_a_part_is_dropped_as_it_is_in_the_whole(first, size, function):
    whole = np.ones(first + size + 7, np.float32)
    _, expected = drop.definition(whole, 0.4, (3, 5), 2**32 + 9)
    y, keep = function(whole[first : first + size], 0.4, (3, 5), 2**32 + 9, first)
    assert np.array_equal(keep, expected[first : first + size])
    np.testing.assert_allclose(y, keep / np.float32(0.6), rtol=1e-6)
    bits = random_bits(len(whole), (3, 5), 4)
    assert np.array_equal(random_bits(size, (3, 5), 4, first=first), bits[first : first + size])


@pytest.mark.parametrize("augment", [
    datasets.Augmentation(flip=True, shift=0.3), datasets.Augmentation(flip=True, rotate=20, zoom=0.1), None,
    lambda images, rng: images + rng.random((len(images), 1, 1, 1), dtype=np.float32),
])  # fmt: skip
def test_a_part_is_augmented_as_it_is_in_the_whole(augment):
    images = np.random.default_rng(0).random((23, 7, 5, 2), dtype=np.float32)
    whole = Batches(images, np.arange(23), 10, seed=4, augment=augment, workers=0)
    parts = [
        Batches(images, np.arange(23), 10, seed=4, augment=augment, rows=lambda n, r=rank: One(r, 3).share(n).rows)
        for rank in range(3)
    ]
    for (x, labels), *shares in zip(whole.epoch(1), *(part.epoch(1) for part in parts)):
        assert np.array_equal(np.concatenate([share[0] for share in shares]), x)
        assert np.array_equal(np.concatenate([share[1] for share in shares]), labels)


def test_an_image_with_nan_is_named_by_its_position_in_the_batch():
    model = Sequential([layers.Flatten(), layers.BatchNorm(), layers.Dense(2)], (3, 2, 1), seed=0)
    x, labels = np.ones((10, 3, 2, 1), np.float32), np.zeros((10, 2))
    x[4, 1, 1, 0] = np.nan
    step = SharedStep(model, losses.MeanSquaredError(), optimizers.SGD(), model, One(1, 3), lambda: 10)
    assert step.where_it_began(x[3:6], labels[3:6]).words.startswith("in the input: image 5 of 10 in the batch")
    assert all(layer.share is None for layer in model.layers)
    before = model.vector.values.copy()
    with pytest.raises(NotFinite):
        step(x[3:6], labels[3:6])
    assert np.array_equal(model.vector.values, before)


def test_damaged_files_are_those_that_any_rank_has_found():
    images, labels = np.zeros((2, 3, 4, 3), np.uint8), np.zeros(2, np.int64)
    dataset = datasets.Dataset("d", images, labels, images, labels, ("cat",), ["before.jpg"])
    ranks = One(0, 2)
    ranks.gather = lambda own: [own, ["before.jpg", "found by the other.jpg"]]
    assert gather_skipped(dataset, ranks).skipped == ["before.jpg", "found by the other.jpg"]


def test_part_of_a_sequence_loads_only_the_requested_items():
    asked = []

    class Images:
        def __getitem__(self, rows):
            asked.append((rows.start, rows.stop))
            return np.arange(100)[rows]

    part = Part(Images(), 3, 6)
    assert len(part) == 3 and part[0:2].tolist() == [3, 4] and part[2:100].tolist() == [5]
    assert asked == [(3, 5), (5, 6)]
