"""A resumed training may have another schedule, if it gives the steps that were taken the rates that they had."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint, LearningRate

import minitorch_cnn as mtc
from minitorch_cnn import checkpoint, layers, optimizers, schedules
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.models.recipes import Cycles

X = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
Y = np.arange(12) % 3
STEPS = 3  # in an epoch


def trained(path, schedule, epochs, resume=None, callbacks=()):
    model = mtc.Sequential([layers.Dense(3, "softmax")], (5,), seed=1)
    callbacks = [Checkpoint(path), *callbacks]
    model.fit(X, Y, optimizer=optimizers.SGD(schedule, momentum=0.9), epochs=epochs, batch_size=4, progress=False,
              callbacks=callbacks, resume=resume)  # fmt: skip
    return model


def test_cycles_follow_one_another():
    cycles = Cycles(0.4, [10, 16])
    assert [cycles(step) for step in range(10)] == [schedules.OneCycle(0.4, 10)(step) for step in range(10)]
    assert [cycles(10 + step) for step in range(6)] == [schedules.OneCycle(0.2, 6)(step) for step in range(6)]
    assert Cycles(**cycles.config())(13) == cycles(13)


@pytest.mark.parametrize("before, now", [
    (schedules.OneCycle(0.4, 2 * STEPS), Cycles(0.4, [2 * STEPS, 5 * STEPS])),
    (schedules.Constant(0.1), schedules.Step(0.1, every=2 * STEPS, factor=0.5)),
    (schedules.Step(0.1, every=2 * STEPS), schedules.Constant(0.1)),
])  # fmt: skip
def test_rates_of_steps_to_come_may_change(tmp_path, before, now):
    path = tmp_path / "c.npz"
    trained(path, before, 2)
    continued = trained(path, now, 5, resume=path)
    whole = trained(tmp_path / "other.npz", now, 5)
    for layer, other in zip(continued.layers, whole.layers):
        assert all(np.array_equal(array, other.parameters[name]) for name, array in layer.parameters.items())
    assert checkpoint.load(path)[1]["settings"]["learning_rate"]["kind"] == type(now).__name__


@pytest.mark.parametrize("before, now", [
    (schedules.OneCycle(0.4, 2 * STEPS), schedules.OneCycle(0.4, 5 * STEPS)),
    (schedules.Constant(0.1), schedules.Step(0.1, every=2 * STEPS - 1)),
    (schedules.Constant(0.1), schedules.Constant(0.1001)),
    (Cycles(0.4, [STEPS, 2 * STEPS]), Cycles(0.4, [2 * STEPS, 5 * STEPS])),
])  # fmt: skip
def test_rates_of_steps_taken_may_not(tmp_path, before, now):
    path = tmp_path / "c.npz"
    trained(path, before, 2)
    with pytest.raises(CheckpointError, match="learning_rate was "):
        trained(path, now, 5, resume=path)


def test_rates_that_a_callback_sets_are_compared_as_they_were(tmp_path):
    path = tmp_path / "c.npz"
    trained(path, schedules.Constant(0.1), 2)
    with pytest.raises(CheckpointError, match="learning_rate was "):
        trained(path, 0.1, 5, resume=path, callbacks=[LearningRate(lambda epoch: 0.1)])
