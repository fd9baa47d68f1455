"""Callbacks, optimizers and models that are used a second time."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, Checkpoint, CSVLog, EarlyStopping, LearningRate
from scenario_models import LABELS, X, small_net

from minitorch_cnn import optimizers, schedules

VALIDATION = X[:8], LABELS[:8]


def fit(model, *callbacks, epochs=3, rate=0.05, **options):
    options = {"optimizer": optimizers.SGD(rate), "validation": VALIDATION, "progress": False, **options}
    return model.fit(X, LABELS, epochs=epochs, batch_size=7, callbacks=callbacks, **options)


def test_a_reused_early_stopping_begins_anew():
    stop, lowest = EarlyStopping(patience=2), EarlyStopping(patience=2)
    fit(small_net(0), stop, epochs=9)
    reached = stop.best
    first, second, alone = small_net(0), small_net(7), small_net(7)
    fit(first, stop, epochs=9)
    assert stop.best == reached
    again, own = (fit(model, each, rate=1e-5) for model, each in ((second, stop), (alone, lowest)))
    assert again["loss"] == own["loss"] and len(own["loss"]) == 3
    np.testing.assert_array_equal(second.vector.values, alone.vector.values)
    fit(second, stop, epochs=0)  # no epoch, so nothing to restore
    np.testing.assert_array_equal(second.vector.values, alone.vector.values)


def test_a_reused_early_stopping_continues_where_the_training_is_resumed(tmp_path):
    whole, model = small_net(), small_net()
    expected = fit(whole, EarlyStopping(patience=1), Checkpoint(tmp_path / "whole.npz"), epochs=8, rate=0.3)

    class Cut(Callback):
        def on_batch_end(self, trainer):
            if trainer.epoch == 1 and trainer.batch == 2:
                trainer.interrupts.number = 2  # as Ctrl-C does

    stop = EarlyStopping(patience=1)
    with pytest.raises(KeyboardInterrupt):
        fit(model, stop, Checkpoint(tmp_path / "c.npz"), Cut(), epochs=8, rate=0.3)
    fit(small_net(4), stop)  # another training in between
    model = small_net()
    found = fit(model, stop, Checkpoint(tmp_path / "c.npz"), epochs=8, rate=0.3, resume=tmp_path / "c.npz")
    assert found["val_loss"] == expected["val_loss"]
    np.testing.assert_array_equal(model.vector.values, whole.vector.values)


def test_reused_callbacks_of_every_kind_write_what_new_ones_do(tmp_path):
    def make(folder):
        folder.mkdir()
        return [CSVLog(folder / "h.csv"), LearningRate(lambda epoch: 0.1 / (epoch + 1)), Checkpoint(folder / "c.npz")]

    reused, models = make(tmp_path / "reused"), [small_net(2), small_net(2)]
    fit(small_net(1), *reused, epochs=2)
    expected, found = fit(models[0], *make(tmp_path / "new")), fit(models[1], *reused)
    assert found["learning_rate"] == expected["learning_rate"] == [0.1, 0.05, pytest.approx(0.1 / 3)]
    rows = [(tmp_path / name / "h.csv").read_text().splitlines() for name in ("new", "reused")]
    assert [row.split(",")[:4] for row in rows[0]] == [row.split(",")[:4] for row in rows[1]]
    np.testing.assert_array_equal(*(model.vector.values for model in models))


def test_a_callback_of_ones_own_can_begin_anew():
    class Count(Callback):
        def reset(self):
            self.epochs = 0

        def on_epoch_end(self, trainer, results):
            self.epochs += 1

    count = Count()
    for epochs in (3, 1, 2):
        fit(small_net(), count, epochs=epochs)
        assert count.epochs == epochs


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam(0.01),
        lambda: optimizers.SGD(schedules.Cosine(0.1, 9), momentum=0.9),
        lambda: optimizers.RMSprop(schedules.Step(0.01, every=4, factor=0.5)),
    ],
)
def test_an_optimizer_begins_anew_with_another_model_and_goes_on_with_the_same_one(make):
    reused, models = make(), [small_net(1), small_net(1)]
    fit(small_net(0), optimizer=reused)
    fit(models[0], optimizer=reused)
    fit(models[1], optimizer=make())
    np.testing.assert_array_equal(*(model.vector.values for model in models))
    assert reused.steps == 9
    fit(models[0], optimizer=reused, epochs=1)
    assert reused.steps == 12
