"""Signals: the first is told, Ctrl-C after it ends the batch, and none cuts off the telling of the first."""

import os
import re
import signal

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.training.callbacks import Callback, Checkpoint
from minitorch_cnn.training.interrupts import Ended, Interrupted, Interrupts, ignore_interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_is_told_and_ctrl_c_after_it_raises(number):
    told: list[str] = []
    interrupts = Interrupts(told.append)
    with pytest.raises(KeyboardInterrupt), interrupts:
        os.kill(os.getpid(), number)
        assert interrupts and interrupts.number == number and len(told) == 1
        for often_sent_twice in (signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), often_sent_twice)
        os.kill(os.getpid(), signal.SIGINT)
    assert len(told) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupts = Interrupts(lambda text: None)
        with interrupts, ignore_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupts
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_one_after_the_training_does_not_end_python_at_once(number):
    try:
        with Interrupts(lambda text: None):
            os.kill(os.getpid(), number)
        for again in (signal.SIGTERM, signal.SIGHUP):
            with pytest.raises(Ended, match=signal.Signals(again).name) as ended:
                os.kill(os.getpid(), again)
            assert ended.value.number == again
    finally:
        for again in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(again, signal.SIG_DFL)
    with Interrupts(lambda text: None):
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_a_second_one_waits_until_the_first_is_told():
    told = []

    def say(text):
        told.append("begun")
        os.kill(os.getpid(), signal.SIGINT)
        told.append("ended")

    with pytest.raises(KeyboardInterrupt), Interrupts(say):
        os.kill(os.getpid(), signal.SIGINT)
    assert told == ["begun", "ended"]


def test_an_error_while_telling_leaves_the_second_one_its_effect():
    def say(text):
        raise BrokenPipeError

    with Interrupts(say), pytest.raises(KeyboardInterrupt):
        with pytest.raises(BrokenPipeError):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


class SignalAtTheEnd(Callback):
    """Ctrl-C while the results of the epoch number `epoch` are handed round."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, trainer, results):
        if trainer.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("epochs, epoch, words", [
    (1, 0, "interrupted after epoch 1 of 1; saved"),
    (3, 2, "interrupted after epoch 3 of 3; saved"),
    (3, 1, "interrupted in epoch 3 of 3 after batch 0 of 2; saved"),
])  # fmt: skip
def test_at_the_end_of_an_epoch_it_names_one_that_there_is(tmp_path, epochs, epoch, words):
    """Once it said "in epoch 2 of 1"."""
    model = mtc.Sequential([layers.Dense(3, "softmax")], (4,), seed=0)
    x, labels, path = np.eye(8, 4, dtype="float32"), np.arange(8) % 3, tmp_path / "c.npz"
    settings = {"optimizer": optimizers.SGD(0.1), "epochs": epochs, "batch_size": 4, "progress": False}
    with pytest.raises(Interrupted, match=re.escape(words)):
        model.fit(x, labels, callbacks=[SignalAtTheEnd(epoch), Checkpoint(path)], **settings)
    again = mtc.Sequential([layers.Dense(3, "softmax")], (4,), seed=0)
    settings["optimizer"] = optimizers.SGD(0.1)
    history = again.fit(x, labels, callbacks=[SignalAtTheEnd(-1), Checkpoint(path)], resume=path, **settings)
    assert len(history["loss"]) == epochs
