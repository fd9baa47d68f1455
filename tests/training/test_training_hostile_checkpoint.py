"""A checkpoint that somebody wrote by hand: a `.npz` that is in order, around facts that are not."""

import math

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Checkpoint, EarlyStopping

from minitorch_cnn import checkpoint, optimizers
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.npz import read_npz
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import Trainer


def trainer():
    x, labels = small_run.images_and_labels()
    return Trainer(small_run.small_model(), x, labels, optimizer=optimizers.SGD(0.1, momentum=0.9), epochs=2,
                   batch_size=13, callbacks=[EarlyStopping("loss")], progress=False)  # fmt: skip


def state():
    first = trainer()
    first.optimizer.prepare(first.model)
    return first.state()


HUGE = 10**400  # Python prints it, but no float holds it
FACTS = [
    ("epoch", -1), ("epoch", "3"), ("epoch", True), ("epoch", None), ("batch", 99), ("batch", [1]), ("steps", 2.5),
    ("steps", 10**30), ("rate", "fast"), ("totals", {}), ("totals", []), ("totals", {"loss": []}), ("history", []),
    ("history", {"loss": [1.0]}), ("history", {"loss": ["\x1b[2J"]}), ("draws", {"dropout_1": "x"}), ("draws", []),
    ("draws", {"another": 3}), ("callbacks", [1]), ("callbacks", [["EarlyStopping", {}]]), ("callbacks", None),
    ("callbacks", [["EarlyStopping", {"best": HUGE, "waited": 0}, []]]),
    ("callbacks", [["EarlyStopping", {"best": None, "waited": math.nan}, []]]),
    ("callbacks", [["EarlyStopping", {"best": 0.5, "waited": 0}, [["dense_1", "kernel", 2, 2]]]]),
    ("callbacks", [["Another\x1b[2J", {"x": 1}, []]]),
    ("stopped", {}), ("settings", {}), ("settings", None), ("settings", {"seed": "\x1b[2J\n"}), ("settings", []),
    ("settings", {"optimizer": "x" * 10_000}), ("settings", {"optimizer": {"kind": HUGE}}), ("data", {}), ("data", 3),
    ("data", {"training": None, "validation": None}), ("data", {"training": {"files": 3}, "validation": None}),
    ("data", {"training": {"images": HUGE, "labels": 0, "shape": ["\x1b"]}, "validation": None}),
    ("epoch", HUGE), ("batch", HUGE), ("steps", HUGE), ("rate", HUGE), ("rate", math.nan), ("epoch", math.nan),
    ("totals", {"loss": HUGE, "correct": 0, "images": 0, "seconds": 0}), ("draws", {"dropout_1": HUGE}),
    ("totals", {"loss": math.nan, "correct": 0, "images": 0, "seconds": 0}), ("history", {"loss": [HUGE]}),
    ("draws", {}), ("draws", {"dropout_1": math.nan}),
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
    return str(caught.value)


ARRAYS = [
    (("model", "dense_1", "kernel"), np.zeros((2, 2), np.float32)),
    (("model", "another", "kernel"), np.zeros(3, np.float32)),
    (("model", "batch_norm_1", "moving_mean"), None),
    (("optimizer", "momentum", "dense_1", "kernel"), np.zeros(3, np.float32)),
    (("optimizer", "momentum", "dense_1", "kernel"), np.zeros((12, 3), np.float32)),
    (("optimizer", "momentum", "conv2d_1", "bias"), None),
    (("optimizer", "mean", "dense_1", "kernel"), np.zeros(36, np.float32)),
]


@pytest.mark.parametrize("key, array", ARRAYS)
def test_arrays_that_are_not_this_models(tmp_path, key, array):
    arrays, facts = state()
    arrays[key] = array
    arrays = {key: array for key, array in arrays.items() if array is not None}
    checkpoint.save(tmp_path / "c.npz", arrays, facts)
    assert f"array {'/'.join(key[1:])}: expected shape" in refused(tmp_path)


def test_a_refused_checkpoint_changes_nothing(tmp_path):
    arrays, facts = state()
    del arrays["optimizer", "momentum", "conv2d_1", "bias"]
    arrays["model", "dense_1", "kernel"] = arrays["model", "dense_1", "kernel"] + 1
    checkpoint.save(tmp_path / "c.npz", arrays, facts)
    second = trainer()
    before = second.model.vector.values.copy()
    with pytest.raises(CheckpointError):
        second.load(tmp_path / "c.npz")
    assert np.array_equal(second.model.vector.values, before)


@pytest.mark.parametrize("change", ["missing", "short", "another shape"])
def test_the_best_weights_of_early_stopping_are_whole(tmp_path, change):
    x, labels = small_run.images_and_labels()
    options = {"optimizer": optimizers.SGD(0.1), "epochs": 1, "validation": (x, labels), "progress": False}
    path, key = tmp_path / "c.npz", ("callback", "0", "dense_1", "bias")
    small_run.small_model().fit(x, labels, callbacks=[EarlyStopping(), Checkpoint(path)], **options)
    arrays, facts = checkpoint.load(path)
    kept = arrays.pop(key)
    if change != "missing":
        arrays[key] = kept[:-1] if change == "short" else kept[None]
    for in_the_facts_too in (False, True):
        if in_the_facts_too:
            shapes = [row for row in facts["callbacks"][0][2] if row[:2] != ["dense_1", "bias"]]
            facts["callbacks"][0][2] = shapes + [[*key[2:], *arrays[key].shape] for key in arrays.keys() & {key}]
        checkpoint.save(path, arrays, facts)
        with pytest.raises(CheckpointError, match="EarlyStopping"):
            small_run.small_model().fit(x, labels, callbacks=[EarlyStopping()], resume=path, **options)


@pytest.mark.parametrize("number", [0, 3, 10**400, "x\x1b[2J", None])
def test_a_checkpoint_of_another_format_says_which(tmp_path, monkeypatch, number):
    arrays, facts = state()
    monkeypatch.setattr(checkpoint, "FORMAT", number)
    checkpoint.save(tmp_path / "c.npz", arrays, facts)
    expected = f"expected a checkpoint of format 1 to 2, got format {printable(number)[:40]};"
    assert expected in refused(tmp_path)


def written(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_a_pickle_is_not_opened(tmp_path):
    opened = []

    class Evil:
        def __reduce__(self):
            return opened.append, (1,)

    path = written(tmp_path / "c.npz", description=np.array([Evil()], object))
    with pytest.raises(CheckpointError, match="expected numbers, with the header"):
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
