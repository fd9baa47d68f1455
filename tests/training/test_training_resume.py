"""A training that is stopped anywhere, by anything, and resumed ends with the bits of one that never was."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Callback

from minitorch_cnn import optimizers
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.training import TrainingError
from minitorch_cnn.training.interrupts import Interrupted


def state_of(model):
    return {"/".join(key): np.asarray(value) for key, value in model.state().items()}


def assert_same_bits(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert np.array_equal(first[name], second[name]), name


class StopAt(Callback):
    """Raise a signal or an error after a batch."""

    def __init__(self, epoch, batch, act):
        self.place, self.act = (epoch, batch), act

    def on_batch_end(self, trainer):
        if (trainer.epoch, trainer.batch) == self.place:
            self.act()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    model, history = small_run.train(tmp_path_factory.mktemp("whole"))
    return state_of(model), history


class PowerCut(Exception):
    pass


def cut():
    raise PowerCut


@pytest.mark.parametrize("place", [(0, 1), (0, 4), (2, 2), (5, 3)])
def test_resume_anywhere_gives_the_same_bits(tmp_path, uninterrupted, place):
    with pytest.raises(PowerCut):
        small_run.train(tmp_path, extra=[StopAt(*place, cut)])
    model, history = small_run.train(tmp_path, resume=True)
    assert_same_bits(state_of(model), uninterrupted[0])
    same = {k: v for k, v in history.items() if k != "seconds"}
    assert same == {k: v for k, v in uninterrupted[1].items() if k != "seconds"}


@pytest.mark.parametrize("make", [
    lambda: optimizers.Adam(0.01), lambda: optimizers.RMSprop(0.01, weight_decay=0.01), lambda: optimizers.Muon(0.01),
])  # fmt: skip
def test_every_optimizer_resumes(tmp_path, make):
    whole, _ = small_run.train(tmp_path / "whole", optimizer=make())
    with pytest.raises(PowerCut):
        small_run.train(tmp_path / "cut", optimizer=make(), extra=[StopAt(1, 3, cut)])
    resumed, _ = small_run.train(tmp_path / "cut", resume=True, optimizer=make())
    assert_same_bits(state_of(whole), state_of(resumed))


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, uninterrupted):
    ctrl_c = StopAt(3, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match=r"epoch 4 of 6 after batch 2 of 4; saved .*checkpoint.npz; continue with: "):
        small_run.train(tmp_path, extra=[ctrl_c], seconds=1e9)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model, _ = small_run.train(tmp_path, resume=True)
    assert_same_bits(state_of(model), uninterrupted[0])


def test_killed_at_random_moments(tmp_path, uninterrupted):
    """kill -9, again and again, until one run gets through; then the bits are those of the uninterrupted run."""
    rng = random.Random(7)
    command = [sys.executable, str(Path(small_run.__file__)), str(tmp_path)]
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 300
        while not (tmp_path / "checkpoint.npz").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        kills += "finished" not in process.communicate()[0]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    assert "finished" in result.stdout
    assert kills > 0
    with np.load(tmp_path / "final.npz") as final:
        assert_same_bits(dict(final), uninterrupted[0])
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"<html>" + b, lambda b: b"", lambda b: b[:-30]]
)
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, damage):
    small_run.train(tmp_path, epochs=1)
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"checkpoint.npz: not a readable checkpoint") as caught:
        small_run.train(tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_disk_that_fails_keeps_the_older_checkpoint(tmp_path, monkeypatch):
    small_run.train(tmp_path, epochs=1)
    before = (tmp_path / "checkpoint.npz").read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(CheckpointError, match=r"No space left on device\); the older file is unchanged"):
        small_run.train(tmp_path, epochs=1)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.npz", "history.csv"]


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_a_loss_that_diverges_stops_with_advice(tmp_path):
    with pytest.raises(
        TrainingError, match=r"the loss is (nan|inf) in epoch \d+, batch \d+.*learning rate below 1e\+30"
    ):
        small_run.train(tmp_path, optimizer=optimizers.SGD(1e30))


def test_fit_refuses_what_cannot_be_trained():
    x, labels = small_run.images_and_labels()
    model = small_run.small_model()
    cases = [
        ({"x": x, "labels": labels[:-1]}, "a label for each of the 50 images, got 49"),
        ({"x": x[:0], "labels": labels[:0]}, "at least one image"),
        ({"x": x, "labels": None}, "got none"),
        ({"x": x, "labels": labels, "epochs": -1}, "epochs: expected a whole number of at least 0, got -1"),
        ({"x": x, "labels": labels, "batch_size": 0}, "batch_size"),
    ]
    for arguments, message in cases:
        with pytest.raises(ArgumentError, match=message):
            model.fit(optimizer=optimizers.SGD(), progress=False, **arguments)
    for layer in model.layers:
        layer.trainable = False
    with pytest.raises(ArgumentError, match="every layer is frozen"):
        model.fit(x, labels, optimizer=optimizers.SGD(), progress=False)
