"""A checkpoint that somebody wrote by hand: a `.npz` that is in order, around facts that are not."""

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import EarlyStopping

from minitorch_cnn import checkpoint, optimizers
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.npz import read_npz
from minitorch_cnn.training import Trainer


def trainer():
    x, labels = small_run.images_and_labels()
    return Trainer(small_run.small_model(), x, labels, optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=2,
                   batch_size=13, callbacks=[EarlyStopping()], progress=False)  # fmt: skip


def state():
    first = trainer()
    first.optimizer.prepare(first.model)
    return first.state()


FACTS = [
    ("epoch", -1), ("epoch", "3"), ("epoch", True), ("epoch", None), ("batch", 99), ("batch", [1]), ("steps", 2.5),
    ("steps", 10**30), ("rate", "fast"), ("totals", {}), ("totals", []), ("totals", {"loss": []}), ("history", []),
    ("history", {"loss": [1.0]}), ("history", {"loss": ["\x1b[2J"]}), ("draws", {"dropout_1": "x"}), ("draws", []),
    ("draws", {"another": 3}), ("callbacks", [1]), ("callbacks", [["EarlyStopping", {}]]), ("callbacks", None),
    ("stopped", {}), ("seed", "\x1b[2J\n"), ("images", "x" * 10_000), ("optimizer", ["SGD"]),
]  # fmt: skip


@pytest.mark.parametrize("name, value", FACTS)
def test_facts_that_are_none(tmp_path, name, value):
    arrays, facts = state()
    checkpoint.save(tmp_path / "c.npz", arrays, facts | {name: value})
    refused(tmp_path)
    del facts[name]
    checkpoint.save(tmp_path / "c.npz", arrays, facts)
    refused(tmp_path)


def refused(folder):
    with pytest.raises(CheckpointError) as caught:
        trainer().load(folder / "c.npz")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700


ARRAYS = [
    (("model", "dense_1", "kernel"), np.zeros((2, 2), np.float32)),
    (("optimizer", "momentum", "dense_1", "kernel"), np.zeros(3, np.float32)),
    (("model", "another", "kernel"), np.zeros(3, np.float32)),
]


@pytest.mark.parametrize("key, array", ARRAYS)
def test_arrays_that_are_not_this_models(tmp_path, key, array):
    arrays, facts = state()
    checkpoint.save(tmp_path / "c.npz", arrays | {key: array}, facts)
    refused(tmp_path)


def written(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_a_pickle_is_not_opened(tmp_path):
    opened = []

    class Evil:
        def __reduce__(self):
            return opened.append, (1,)

    path = written(tmp_path / "c.npz", description=np.array([Evil()], object))
    with pytest.raises(CheckpointError, match="expected numbers, got object"):
        read_npz(path, CheckpointError)
    assert not opened


def test_a_bomb_is_not_unfolded(tmp_path):
    np.savez_compressed(tmp_path / "c.npz", a=np.zeros(10**7))
    with pytest.raises(CheckpointError, match="expected uncompressed arrays"):
        read_npz(tmp_path / "c.npz", CheckpointError)


def test_a_shape_that_is_not_there(tmp_path):
    path = written(tmp_path / "c.npz", a=np.zeros(10))
    path.write_bytes(path.read_bytes().replace(b"'shape': (10,), }     ", b"'shape': (9999999,), }"))
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        read_npz(path, CheckpointError)


@pytest.mark.parametrize("array", [np.array(["a"]), np.zeros(2, "V3"), np.zeros(2, complex), np.zeros(2, "i4,f4")])
def test_only_numbers(tmp_path, array):
    with pytest.raises(CheckpointError, match="expected numbers"):
        read_npz(written(tmp_path / "c.npz", a=array), CheckpointError)


KINDS = [
    np.zeros(()),
    np.zeros((0, 3)),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(4, dtype=">i2"),
    np.array([True, False]),
]


@pytest.mark.parametrize("array", KINDS)
def test_numbers_of_every_kind_come_back(tmp_path, array):
    found = read_npz(written(tmp_path / "c.npz", a=array), CheckpointError)["a"]
    assert np.array_equal(found, array) and found.dtype == array.dtype and found.flags.writeable
