"""The filters that a run remembers: those of each epoch, evenly chosen, the same after a resumed training."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, Checkpoint

from minitorch_cnn import Sequential, layers, optimizers
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.runs.filter_record import MOST, FilterRecord

X = np.random.default_rng(0).random((6, 5, 4, 3), dtype=np.float32)
LABELS = [0, 1, 0, 1, 1, 0]


class Each(Callback):
    """All kernels, in an array of its own for each epoch."""

    def __init__(self):
        self.kernels = []

    def on_batch_end(self, trainer):
        self.kernels.append(np.array(trainer.model.layers[0].parameters["kernel"]))


class Cut(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, trainer, results):
        if trainer.epoch == self.epoch:
            raise KeyboardInterrupt


def train(epochs, *callbacks, channels=3, **options):
    stack = [layers.Conv2D(2, (2, 3)), layers.Flatten(), layers.Dense(2, "softmax")]
    model = Sequential(stack, (5, 4, channels), seed=2)
    start = np.array(model.layers[0].parameters["kernel"])
    model.fit(X[..., :channels], LABELS, optimizer=optimizers.SGD(0.1), epochs=epochs, batch_size=6,
              callbacks=callbacks, progress=False, **options)  # fmt: skip
    return start


@pytest.mark.parametrize("epochs", [1, 7, MOST - 1, MOST, 61])
def test_the_kernels_are_those_of_their_epochs_evenly_chosen(epochs):
    each, record = Each(), FilterRecord()
    after = [train(epochs, each, record), *each.kernels]
    assert all(np.array_equal(kernel, after[epoch]) for epoch, kernel in record.kernels.items())
    chosen = list(record.kernels)
    assert min(MOST / 2, epochs + 1) <= len(chosen) <= MOST and chosen[0] == 0 and chosen[-1] == epochs
    assert len(set(np.diff(chosen[:-1]))) <= 1 and chosen == sorted(chosen)


def test_a_resumed_training_remembers_what_came_before(tmp_path):
    path, whole, resumed = tmp_path / "checkpoint.npz", FilterRecord(), FilterRecord()
    train(40, whole)
    with pytest.raises(KeyboardInterrupt):
        train(40, FilterRecord(), Checkpoint(path), Cut(30))
    train(40, resumed, Checkpoint(path), resume=path)
    assert whole.kernels.keys() == resumed.kernels.keys() and 1 < whole.stride == resumed.stride
    assert all(np.array_equal(kernel, resumed.kernels[epoch]) for epoch, kernel in whole.kernels.items())
    late = FilterRecord()  # the checkpoint of an older version holds none
    train(2, Checkpoint(path))
    train(3, late, Checkpoint(path), resume=path)
    assert list(late.kernels) == [2, 3]


def test_a_first_layer_that_does_not_see_colours_is_not_recorded():
    record = FilterRecord()
    train(2, record, channels=2)
    assert record.kernels == {}


@pytest.mark.parametrize(
    "name, kernel, facts, words",
    [
        ("-1", np.ones((2, 3, 3, 2), np.float32), {"stride": 1}, "epochs are not valid"),
        ("1", np.ones((2, 3, 3, 2), np.float32), {"stride": 0}, "epochs are not valid"),
        ("1", np.ones((2, 3, 3, 2), int), {"stride": 1}, "kernels are not valid"),
        ("1", np.ones((9, 3, 3, 2), np.float32), {"stride": 1}, "not filters of this model"),
    ],
)
def test_filters_that_are_none_are_refused(name, kernel, facts, words, monkeypatch, tmp_path):
    path = tmp_path / "checkpoint.npz"
    with monkeypatch.context() as patch:
        patch.setattr(FilterRecord, "state", lambda self: ({(name,): kernel}, facts))
        train(1, FilterRecord(), Checkpoint(path))
    with pytest.raises(CheckpointError, match=words):
        train(2, FilterRecord(), Checkpoint(path), resume=path)
