"""EMA, WiSE and LRFinder: their arithmetic by hand, what is measured with them, and the same bits after a resume."""

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import EMA, Callback, Checkpoint, CSVLog, EarlyStopping, LRFinder, ModelCheckpoint, WiSE

import minitorch_cnn as mtc
from minitorch_cnn import optimizers, schedules
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.training.learning_rates import find_learning_rate


class Weights(Callback):
    """The weights after every batch; and after some batch it stops as Ctrl-C does."""

    def __init__(self, interrupt_after=None):
        self.seen, self.interrupt_after = [], interrupt_after

    def on_batch_end(self, trainer):
        self.seen.append(weights(trainer.model))
        if len(self.seen) == self.interrupt_after:
            trainer.interrupts.number = 2


def weights(model):
    arrays = (array for layer in model.layers for array in layer.parameters.values())
    return np.concatenate([np.array(array).reshape(-1) for array in arrays])


def fit(model, *callbacks, rate=0.1, epochs=3, **options):
    x, labels = small_run.images_and_labels(20)
    options = {"optimizer": optimizers.SGD(rate, momentum=0.9), "validation": (x[:5], labels[:5]), **options}
    return model.fit(x, labels, epochs=epochs, batch_size=8, callbacks=callbacks, progress=False, **options)


def test_the_average_by_hand_and_the_validation_with_it():
    model, weights_seen = small_run.small_model(), Weights()
    average, measured = weights(model), []

    class Measure(Callback):
        def on_epoch_end(self, trainer, results):
            x, labels = small_run.images_and_labels(20)
            measured.append((weights(trainer.model), trainer.model.evaluate(x[:5], labels[:5])["loss"]))

    history = fit(model, EMA(decay=0.5), weights_seen, Measure())
    for number, now in enumerate(weights_seen.seen, 1):
        decay = min(0.5, (1 + number) / (10 + number))
        average = decay * average + (1 - decay) * now
        if number % 3 == 0:  # 20 images in batches of 8
            seen, loss = measured[number // 3 - 1]
            np.testing.assert_allclose(seen, average, rtol=1e-5, atol=1e-6)
            assert history["val_loss"][number // 3 - 1] == pytest.approx(loss, rel=1e-6)
    np.testing.assert_allclose(weights(model), average, rtol=1e-5, atol=1e-6)
    assert abs(average - weights_seen.seen[-1]).max() > 1e-3
    plain, without = small_run.small_model(), Weights()
    fit(plain, without)
    for one, other in zip(weights_seen.seen, without.seen):
        np.testing.assert_array_equal(one, other)  # training goes on with the weights themselves


class Seen(Callback):
    """The weights at the end of every epoch."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, trainer, results):
        self.seen.append(weights(trainer.model))


@pytest.mark.parametrize("averaged", [False, True])
def test_the_mixture_with_the_first_weights_by_hand(averaged):
    """0.3 of the last weights or of their averages, measured in every epoch and kept; training goes on without it."""
    model, ends, mixed = small_run.small_model(), Seen(), Seen()
    start, callbacks = weights(model), [EMA(0.6), WiSE(0.3)] if averaged else [WiSE(0.3)]
    plain = small_run.small_model()
    fit(plain, *callbacks[:-1], ends)
    history = fit(model, *callbacks, mixed)
    for end, found in zip(ends.seen, mixed.seen):
        np.testing.assert_allclose(found, 0.7 * start + 0.3 * end, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(weights(model), mixed.seen[-1])
    assert abs(ends.seen[-1] - start).max() > 1e-2
    x, labels = small_run.images_and_labels(20)
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x[:5], labels[:5])["loss"], rel=1e-5)


def test_frozen_layers_stay_as_they_are():
    model = small_run.small_model()
    model.freeze(layers=[model.layers[0].name])
    before = {name: array.copy() for name, array in model.layers[0].parameters.items()}
    fit(model, EMA(0.5), WiSE(0.5))
    for name, array in model.layers[0].parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_a_layer_that_is_unfrozen_later_is_averaged_from_then_on():
    class Unfreeze(Callback):
        def on_epoch_end(self, trainer, results):
            trainer.model.unfreeze()

    model, seen = small_run.small_model(), Weights()
    first = model.layers[0]
    model.freeze(layers=[first.name])
    size = sum(array.size for array in first.parameters.values())
    average, steps = EMA(0.5), 3
    fit(model, average, Unfreeze(), seen)
    expected = seen.seen[steps][:size]
    for number, now in enumerate(seen.seen[steps + 1 :], steps + 2):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * now[:size]
    np.testing.assert_allclose(weights(model)[:size], expected, rtol=1e-5, atol=1e-6)
    assert abs(expected - seen.seen[-1][:size]).max() > 1e-4


@pytest.mark.parametrize("others", [[EMA], [WiSE], [EMA, WiSE]])
def test_a_resumed_training_has_the_same_averages(tmp_path, others):
    path, whole, half = tmp_path / "c.npz", small_run.small_model(), small_run.small_model()
    fit(whole, *(each(0.8) for each in others))
    with pytest.raises(KeyboardInterrupt):
        fit(half, *(each(0.8) for each in others), Weights(interrupt_after=4), Checkpoint(path))
    again = small_run.small_model()
    fit(again, *(each(0.8) for each in others), Checkpoint(path), resume=path)
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert again.fingerprints() == whole.fingerprints()


def test_the_best_epoch_is_kept_with_its_averages(tmp_path):
    """The file that ModelCheckpoint writes, and the model that EarlyStopping restores, have the loss that was best."""
    x, labels = small_run.images_and_labels(20)
    path, model = tmp_path / "best.npz", small_run.small_model()
    history = fit(model, EMA(0.7), ModelCheckpoint(path, save_best_only=True), EarlyStopping(patience=9), epochs=5)
    best = min(history["val_loss"])
    for found in (model, mtc.load_model(path)):
        assert found.evaluate(x[:5], labels[:5])["loss"] == pytest.approx(best, rel=1e-5)


def test_the_finder_trains_with_the_rate_that_it_found():
    """It is `find_learning_rate`'s, the weights before training are as without it, and a resume does not search."""
    finder, model, search = LRFinder(1e-4, 10, steps=60), small_run.small_model(), {"lowest": 1e-4, "highest": 10}
    x, labels = small_run.images_and_labels(20)
    expected = find_learning_rate(
        small_run.small_model(), x, labels, optimizers.SGD(1.0, momentum=0.9), steps=60, batch_size=8, seed=5, **search
    )
    history = fit(model, finder, rate=0.123)
    assert finder.rate == expected.suggestion and history["learning_rate"] == [finder.rate] * 3
    assert finder.found.losses == expected.losses
    plain = small_run.small_model()
    fit(plain, rate=finder.rate)
    np.testing.assert_array_equal(weights(model), weights(plain))


def test_the_finder_keeps_its_rate_in_a_checkpoint(tmp_path):
    path, options = tmp_path / "c.npz", {"lowest": 1e-4, "highest": 10, "steps": 60}
    fit(small_run.small_model(), LRFinder(**options), Checkpoint(path), epochs=2)
    again, whole, finder = small_run.small_model(), small_run.small_model(), LRFinder(**options)
    fit(again, finder, Checkpoint(path), resume=path)
    assert finder.found is None
    fit(whole, LRFinder(**options))
    assert again.fingerprints() == whole.fingerprints()


def test_what_does_not_fit_is_named(tmp_path):
    model, path = small_run.small_model(), tmp_path / "c.npz"
    for wrong in (1, -0.1, None):
        with pytest.raises(ArgumentError, match="EMA: decay"):
            EMA(wrong)
        with pytest.raises(ArgumentError, match="WiSE: mixture"):
            WiSE(wrong)
    with pytest.raises(ArgumentError, match="LRFinder: expected a constant learning rate, got Cosine"):
        fit(model, LRFinder(), rate=schedules.Cosine(0.1, 9))
    for callback in (CSVLog, Checkpoint):
        with pytest.raises(ArgumentError, match=f"^{callback.__name__}: expected the path of a file, got the folder"):
            callback(tmp_path)
    for wrong, message in (
        ((1, 0.1), "highest: expected a learning rate above the lowest, 1, got 0.1"),
        ((0.1, 0.1), "highest: expected"),
        ((0, 1), "lowest: expected"),
        ((1, 2, 9), "steps: exp"),
    ):
        with pytest.raises(ArgumentError, match=f"^LRFinder: {message}"):
            LRFinder(*wrong)
    with pytest.raises(ArgumentError, match="LRFinder: the loss fell at no learning rate up to"):
        fit(model, LRFinder(4, 40, steps=30))
    fit(model, Checkpoint(path), epochs=1)
    with pytest.raises(CheckpointError):
        averages = EMA()
        averages.load_state({("dense_1", "kernel"): np.zeros((2, 2))}, {"steps": 3})
        averages.on_train_begin(type("Trainer", (), {"model": model}))


class Broken:
    """Validation images that cannot be read in the second epoch, or Ctrl-C while they are read."""

    def __init__(self, images, error):
        self.images, self.error, self.read = images, error, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        self.read += 1
        if self.read == 2:
            raise self.error
        return self.images[rows]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("gone")], ids=["Ctrl-C", "an error"])
def test_a_training_that_ends_while_it_validates_leaves_the_weights_of_the_last_step(error):
    x, labels = small_run.images_and_labels(20)
    model, own = small_run.small_model(), Weights()
    with pytest.raises(type(error)):
        fit(model, EMA(0.9), own, validation=(Broken(x[:5], error), labels[:5]))
    assert len(own.seen) == 6
    np.testing.assert_array_equal(weights(model), own.seen[-1])


def test_two_averages_leave_the_training_alone():
    plain, both = Weights(), Weights()
    fit(small_run.small_model(), plain)
    fit(small_run.small_model(), EMA(0.5), EMA(0.9), both)
    np.testing.assert_array_equal(both.seen, plain.seen)


KEEPERS = EarlyStopping(), ModelCheckpoint("best.npz", save_best_only=True, restore_best=True)


@pytest.mark.parametrize("keeper", KEEPERS)
def test_the_average_comes_before_what_restores_the_best_epoch(keeper, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=f"EMA: expected it before {type(keeper).__name__} among the callbacks"):
        fit(small_run.small_model(), keeper, EMA())
    with pytest.raises(ArgumentError, match=f"WiSE: expected it before {type(keeper).__name__} among the callbacks"):
        fit(small_run.small_model(), EMA(), keeper, WiSE())
    with pytest.raises(ArgumentError, match="WiSE: expected it after EMA among the callbacks"):
        fit(small_run.small_model(), WiSE(), EMA(), keeper)
    fit(small_run.small_model(), EMA(), WiSE(), keeper, epochs=1)
    fit(small_run.small_model(), EarlyStopping(restore_best=False), EMA(), epochs=1)
