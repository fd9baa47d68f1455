"""ReduceLROnPlateau: Keras's learning rates, begun anew in every fit, and continued to the same bits."""

import numpy as np
import plateau_in_keras
import pytest
import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint, ReduceLROnPlateau

from minitorch_cnn import optimizers, schedules
from minitorch_cnn.errors import ArgumentError, CheckpointError

# the learning rate of each epoch, from plateau_in_keras.py with Keras 3.15
RECORDED = {
    'patience 2': [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625,
        0.00625, 0.00625, 0.003125, 0.003125],
    'cooldown': [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625, 0.003125, 0.003125,
        0.0015625, 0.0015625, 0.00078125, 0.00078125, 0.00039063],
    'lowest': [0.1, 0.1, 0.1, 0.01, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002,
        0.002, 0.002, 0.002],
    'delta': [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.0125,
        0.00625, 0.00625],
    'rising': [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625, 0.003125, 0.003125,
        0.0015625, 0.0015625, 0.00078125, 0.00078125, 0.00039063],
    'no patience': [0.1, 0.1, 0.1, 0.05, 0.025, 0.0125, 0.0125, 0.00625, 0.003125, 0.0015625, 0.00078125,
        0.00039063, 0.00019531, 9.7656e-05, 9.7656e-05, 4.8828e-05, 2.4414e-05, 1.2207e-05],
}  # fmt: skip


class Given(Callback):
    """Puts given values where the validation loss would stand."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, trainer, results):
        results["val_loss"] = self.values[trainer.epoch]


def fit(model, *callbacks, epochs=6, rate=0.1, **options):
    x, labels = small_run.images_and_labels(20)
    options = {"optimizer": optimizers.SGD(rate, momentum=0.9), "validation": (x[:5], labels[:5]), **options}
    return model.fit(x, labels, epochs=epochs, batch_size=8, callbacks=callbacks, progress=False, **options)


@pytest.mark.parametrize("name", RECORDED)
def test_the_rates_of_keras(name):
    values = plateau_in_keras.VALUES
    callback = ReduceLROnPlateau("val_loss", **plateau_in_keras.CASES[name])
    history = fit(small_run.small_model(), Given(values), callback, epochs=len(values))
    assert history["learning_rate"] == pytest.approx(RECORDED[name], rel=1e-4)


def test_an_accuracy_should_rise_and_a_loss_fall():
    assert ReduceLROnPlateau("val_accuracy").monitor.sign == 1 and ReduceLROnPlateau("loss").monitor.sign == -1
    assert ReduceLROnPlateau("val_accuracy", mode="min").monitor.sign == -1


def test_it_begins_anew_in_every_fit_and_with_every_rate():
    values = [1.0, 1.0, 1.0, 1.0]
    callback = ReduceLROnPlateau(patience=2, factor=0.5)
    for _ in range(2):
        history = fit(small_run.small_model(), Given(values), callback, epochs=4)
        assert history["learning_rate"] == [0.1, 0.1, 0.1, 0.05]


@pytest.mark.parametrize("place", [(1, 2), (2, 3), (3, 1), (4, 2)])
def test_a_resumed_training_has_the_rates_and_the_bits_of_one_that_never_stopped(tmp_path, place):
    class Cut(Callback):
        def on_batch_end(self, trainer):
            if (trainer.epoch, trainer.batch) == place:
                raise KeyError("power")

    def callbacks():
        return Given([1.0, 1.0, 1.0, 0.5, 0.6, 0.7]), ReduceLROnPlateau(patience=1, factor=0.5, cooldown=1)

    whole, optimizer, path = small_run.small_model(), optimizers.SGD(0.1, momentum=0.9), tmp_path / "c.npz"
    expected = fit(whole, *callbacks())
    assert len(set(expected["learning_rate"])) > 2
    with pytest.raises(KeyError, match="power"):
        fit(small_run.small_model(), *callbacks(), Checkpoint(path, 0), Cut(), optimizer=optimizer)
    for again in (optimizers.SGD(0.1, momentum=0.9), optimizer):  # a new one, and the one whose rate was reduced
        model = small_run.small_model()
        found = fit(model, *callbacks(), Checkpoint(tmp_path / "other.npz"), optimizer=again, resume=path)
        assert found["learning_rate"] == expected["learning_rate"]
        assert np.array_equal(model.vector.values, whole.vector.values)
    with pytest.raises(CheckpointError, match=r"learning_rate was ReduceLROnPlateau\(\) in the run and is now Cons"):
        fit(small_run.small_model(), Checkpoint(path), resume=path, optimizer=optimizers.SGD(0.1, momentum=0.9))


def test_it_says_when_the_rate_falls(capsys):
    fit(small_run.small_model(), Given([1.0, 1.0]), ReduceLROnPlateau(patience=1, verbose=1), epochs=2)
    assert "epoch 2: ReduceLROnPlateau: the learning rate is 0.01 from here on" in "".join(capsys.readouterr())


WRONG = [
    ({"factor": 1.0}, "ReduceLROnPlateau: factor: expected a number above 0 and below 1, got 1.0"),
    ({"patience": -1}, "ReduceLROnPlateau: patience: expected a whole number of at least 0, got -1"),
    ({"mode": "up"}, "ReduceLROnPlateau: mode: expected one of auto, min, max, got 'up'"),
    ({"monitor": 3}, "ReduceLROnPlateau: monitor: expected a name in the history, got 3"),
    ({"min_lr": -1}, "ReduceLROnPlateau: min_lr: expected a number of at least 0, got -1"),
    ({"min_delta": "x"}, "ReduceLROnPlateau: min_delta: expected a number of at least 0, got 'x'"),
    ({"cooldown": 0.5}, "ReduceLROnPlateau: cooldown: expected a whole number of at least 0, got 0.5"),
]


@pytest.mark.parametrize("options, message", WRONG)
def test_wrong_arguments_are_one_line(options, message):
    with pytest.raises(ArgumentError, match=message):
        ReduceLROnPlateau(**options)


def test_what_it_cannot_do_is_said_before_the_first_epoch():
    class Never(Callback):
        def on_batch_end(self, trainer):
            raise AssertionError("trained")

    with pytest.raises(ArgumentError, match="monitors 'val_loss', but there is no validation; give fit a validation"):
        fit(small_run.small_model(), ReduceLROnPlateau(), Never(), validation=None)
    cosine = optimizers.SGD(schedules.Cosine(0.1, 9))
    with pytest.raises(ArgumentError, match="ReduceLROnPlateau: expected a constant learning rate, got Cosine"):
        fit(small_run.small_model(), ReduceLROnPlateau(), Never(), optimizer=cosine)
    with pytest.raises(ArgumentError, match=r"ReduceLROnPlateau: expected one of loss, accuracy, .* got 'val_los'"):
        fit(small_run.small_model(), ReduceLROnPlateau("val_los"), epochs=1)
