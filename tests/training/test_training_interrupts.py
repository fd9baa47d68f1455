"""Ctrl-C counted: the first is told, the second ends the batch, and none cuts off the telling of the first."""

import os
import signal

import pytest

from minitorch_cnn.training.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_told_and_the_second_raises(number):
    told: list[str] = []
    interrupts = Interrupts(told.append)
    with pytest.raises(KeyboardInterrupt), interrupts:
        os.kill(os.getpid(), number)
        assert interrupts and len(told) == 1
        os.kill(os.getpid(), number)
    assert len(told) == 1


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
