"""Callbacks, optimizers and models that are used a second time."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Callback, Checkpoint, CSVLog, EarlyStopping, LearningRate
from scenario_models import LABELS, X, small_net

from minitorch_cnn import checkpoint, datasets, optimizers, schedules
from minitorch_cnn.errors import CheckpointError

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


def augmented(model, epochs, optimizer, **options):
    augment = datasets.Augmentation(flip=True, shift=0.2, rotate=10)
    return fit(model, epochs=epochs, optimizer=optimizer, augment=augment, **options)


@pytest.mark.parametrize("calls", [[1, 1, 1, 1], [3, 1], [2, 0, 2]])
def test_fit_again_and_again_is_one_long_fit(calls):
    whole, pieces = small_net(5), small_net(5)
    optimizer = optimizers.Adam(0.01)
    expected = augmented(whole, 4, optimizers.Adam(0.01))
    found = [augmented(pieces, epochs, optimizer) for epochs in calls]
    assert [loss for history in found for loss in history.get("loss", [])] == expected["loss"]
    np.testing.assert_array_equal(whole.vector.values, pieces.vector.values)
    assert pieces.epochs_trained == pieces.copy().epochs_trained == pieces.cut(after="dropout_1").epochs_trained == 4


def test_a_second_phase_is_resumed_with_the_order_it_began_with(tmp_path):
    """First the top is trained, then everything; the second phase is cut and resumed in another process's model."""

    class Cut(Callback):
        def on_batch_end(self, trainer):
            if trainer.epoch == 1 and trainer.batch == 1:
                trainer.interrupts.number = 2

    def two_phases(name, *cut, resume=False):
        model, paths = small_net(6).freeze(through="conv2d_2"), [tmp_path / f"{name}-{phase}.npz" for phase in (1, 2)]
        fit(model, Checkpoint(paths[0]), epochs=2, resume=paths[0] if resume else None)
        fit(model.unfreeze(), Checkpoint(paths[1]), *cut, epochs=3, rate=0.01, resume=paths[1] if resume else None)
        return model

    whole = two_phases("whole")
    with pytest.raises(KeyboardInterrupt):
        two_phases("cut", Cut())
    resumed = two_phases("cut", resume=True)
    np.testing.assert_array_equal(whole.vector.values, resumed.vector.values)
    arrays, facts = checkpoint.load(tmp_path / "whole-2.npz")
    assert (facts["first_epoch"], resumed.epochs_trained) == (2, 5)
    checkpoint.save(tmp_path / "whole-2.npz", arrays, {**facts, "first_epoch": -1})
    with pytest.raises(CheckpointError, match="first_epoch: -1 is not valid"):
        two_phases("whole", resume=True)
