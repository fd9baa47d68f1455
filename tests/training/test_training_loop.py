"""What `fit` does: it learns, measures, reports, and is decided by its seed."""

import csv

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import CSVLog, EarlyStopping, LearningRate
from minitorch_cnn.preprocessing import Unit

from minitorch_cnn import Sequential, layers, losses, optimizers, schedules
from minitorch_cnn.errors import ArgumentError


def test_fit_is_train_step_in_a_loop():
    """Without shuffling and workers, fit does just what a hand-written loop does."""
    x, labels = small_run.images_and_labels()
    by_fit, by_hand = small_run.small_model(), small_run.small_model()
    history = by_fit.fit(
        x, labels, optimizer=optimizers.SGD(0.1), epochs=2, batch_size=13, shuffle=False, workers=0, progress=False
    )
    optimizer, loss, means = optimizers.SGD(0.1), losses.CrossEntropy(), []
    for _ in range(2):
        total = 0.0
        for i in range(0, 50, 13):
            total += by_hand.train_step(x[i : i + 13], labels[i : i + 13], loss, optimizer) * len(x[i : i + 13])
        means.append(total / 50)
    assert history["loss"] == pytest.approx(means, rel=1e-12)
    for (key, a), b in zip(by_fit.state().items(), by_hand.state().values()):
        assert np.array_equal(a, b), key


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_one_seed_decides_everything(workers, tmp_path):
    x, labels = small_run.images_and_labels()

    def weights(seed, workers):
        model = Sequential([layers.Conv2D(3, 3, activation="relu"), layers.Dropout(0.5), layers.Flatten(),
                            layers.Dense(3, activation="softmax")], input_shape=(9, 7, 2), seed=seed)  # fmt: skip
        model.fit(x, labels, optimizer=optimizers.Adam(), epochs=2, batch_size=16, workers=workers, progress=False)
        return model.vector.values

    assert np.array_equal(weights(3, workers), weights(3, 2))
    assert not np.array_equal(weights(3, workers), weights(4, workers))


def test_overfits_twenty_examples():
    """The oldest test there is: a network that cannot learn twenty images by heart has a bug."""
    x, labels = small_run.images_and_labels(20)
    model = Sequential([layers.Conv2D(8, 3, activation="relu"), layers.MaxPool2D(2), layers.Flatten(),
                        layers.Dense(3, activation="softmax")], input_shape=(9, 7, 2), seed=0)  # fmt: skip
    assert model.evaluate(x, labels)["loss"] == pytest.approx(np.log(3), rel=0.25)  # at chance before
    model.fit(x, labels, optimizer=optimizers.Adam(0.02), epochs=120, batch_size=7, progress=False)
    assert model.evaluate(x, labels) == {"loss": pytest.approx(0, abs=0.01), "accuracy": 1.0}


def test_pixels_go_through_the_preprocessing_in_fit_evaluate_and_predict():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 5, 4, 3), dtype=np.uint8)
    labels = np.arange(30) % 2

    def model(preprocessing):
        return Sequential(
            [layers.Flatten(), layers.Dense(2, activation="softmax")], (5, 4, 3), seed=1, preprocessing=preprocessing
        )

    with_pixels, with_floats = model(Unit()), model(None)
    floats = pixels.astype(np.float32) / np.float32(255)
    for net, x in ((with_pixels, pixels), (with_floats, floats)):
        net.fit(x, labels, optimizer=optimizers.SGD(0.1), epochs=2, batch_size=8, progress=False)
    assert np.array_equal(with_pixels.vector.values, with_floats.vector.values)
    assert with_pixels.evaluate(pixels, labels) == with_floats.evaluate(floats, labels)
    assert np.array_equal(with_pixels.predict(pixels), with_floats.predict(floats))


def test_early_stopping_takes_the_best_weights(tmp_path):
    best = {}

    class Watch(EarlyStopping):
        def on_epoch_end(self, trainer, results):
            if self.best is None or results["val_loss"] < self.best:
                best.update(loss=results["val_loss"], epoch=trainer.epoch)
            super().on_epoch_end(trainer, results)

    x, labels = small_run.images_and_labels()
    model = small_run.small_model()
    validation = small_run.images_and_labels(20)
    history = model.fit(x, labels, optimizer=optimizers.SGD(1.0), epochs=40, batch_size=13, validation=validation,
                        callbacks=[Watch(patience=3)], progress=False)  # fmt: skip
    assert len(history["loss"]) == best["epoch"] + 1 + 3 < 40
    assert model.evaluate(*validation)["loss"] == pytest.approx(best["loss"], rel=1e-6)


def test_early_stopping_needs_something_to_monitor():
    x, labels = small_run.images_and_labels()
    with pytest.raises(
        ArgumentError, match="EarlyStopping: monitors 'val_loss', but there is no validation; give fit a validation"
    ):
        small_run.small_model().fit(x, labels, optimizer=optimizers.SGD(), callbacks=[EarlyStopping()], progress=False)


def test_learning_rates_by_step_and_by_epoch(tmp_path):
    x, labels = small_run.images_and_labels()
    rates = [0.1, 0.05, 0.2]
    history = small_run.small_model().fit(x, labels, optimizer=optimizers.SGD(), epochs=3, batch_size=13,
                                          callbacks=[LearningRate(lambda epoch: (rates + [0])[epoch]),
                                                     CSVLog(tmp_path / "log.csv")], progress=False)  # fmt: skip
    assert history["learning_rate"] == rates
    optimizer = optimizers.SGD(schedules.Step(0.1, every=4, factor=0.5))  # four batches an epoch
    history = small_run.small_model().fit(x, labels, optimizer=optimizer, epochs=3, batch_size=13, progress=False)
    assert history["learning_rate"] == pytest.approx([0.1, 0.05, 0.025])
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [float(row["learning_rate"]) for row in rows] == rates
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_progress_shows_loss_accuracy_speed_and_time_left(capsys):
    x, labels = small_run.images_and_labels()
    small_run.small_model().fit(x, labels, optimizer=optimizers.SGD(), epochs=2, batch_size=13, validation=(x, labels))
    shown = capsys.readouterr().err
    for word in ("epoch 2/2", "images/s", "loss", "accuracy", "val_loss", "val_accuracy"):
        assert word in shown


@pytest.mark.parametrize("batch_size", [50, 2**40, 2**62])
def test_a_batch_larger_than_the_data_is_all_of_them(batch_size):
    x, labels = small_run.images_and_labels()
    whole, larger = small_run.small_model(), small_run.small_model()
    whole.fit(x, labels, optimizer=optimizers.SGD(0.1), batch_size=50, progress=False)
    larger.fit(x, labels, optimizer=optimizers.SGD(0.1), batch_size=batch_size, progress=False)
    assert np.array_equal(whole.vector.values, larger.vector.values)
