"""A resumed training notices which of its settings was changed; those that decide nothing may change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_run
from minitorch_cnn.callbacks import Callback, Checkpoint, CSVLog, EarlyStopping, LearningRate
from minitorch_cnn.preprocessing import Standardize, Unit

from minitorch_cnn import Sequential, datasets, layers, losses, optimizers, runs, schedules
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.models import recipes

CHANGES = [
    ({"optimizer": optimizers.SGD(0.2, momentum=0.9)}, "learning_rate was Constant(learning_rate=0.1) in the run and is"
     " now Constant(learning_rate=0.2)"),
    ({"optimizer": optimizers.SGD(schedules.Cosine(0.1, 24), momentum=0.9)}, "learning_rate was"
     " Constant(learning_rate=0.1) in the run and is now Cosine(learning_rate=0.1, steps=24, final=0.0)"),
    ({"optimizer": optimizers.SGD(0.1, momentum=0.8)}, "optimizer was SGD(momentum=0.9) in the run and is now"
     " SGD(momentum=0.8)"),
    ({"optimizer": optimizers.SGD(0.1)}, "optimizer was SGD(momentum=0.9) in the run and is now SGD(momentum=0.0)"),
    ({"optimizer": optimizers.SGD(0.1, momentum=0.9, clip_norm=1)}, "optimizer was SGD() in the run and is now"
     " SGD(clip_norm=1.0)"),
    ({"optimizer": optimizers.SGD(0.1, momentum=0.9, multipliers={"dense": 0.5})}, "optimizer was SGD() in the run and"
     " is now SGD(multipliers={'dense': 0.5})"),
    ({"optimizer": optimizers.Adam(0.1)}, "optimizer was SGD(momentum=0.9, nesterov=False, weight_decay=0.0) in the run"
     " and is now Adam(beta_1=0.9"),
    ({"batch_size": 10}, "batch_size was 13 in the run and is now 10"),
    ({"seed": 6}, "seed was 5 in the run and is now 6"),
    ({"shuffle": False}, "shuffle was True in the run and is now False"),
    ({"loss": losses.MeanSquaredError()}, "loss was CrossEntropy() in the run and is now MeanSquaredError()"),
    ({"augment": None}, "augment was Augmentation(flip=True, "),
    ({"augment": datasets.Augmentation(flip=True, shift=0.1)}, "augment was Augmentation(shift=0.2) in the run and is"
     " now Augmentation(shift=0.1)"),
    ({"callbacks": [LearningRate(lambda epoch: 0.1)]}, "learning_rate was Constant(learning_rate=0.1) in the run and is"
     " now LearningRate()"),
]  # fmt: skip


def fit(path, model=None, resume=True, **changes):
    x, labels = small_run.images_and_labels()
    one_hot = np.eye(3)[labels]
    options = {
        "optimizer": optimizers.SGD(0.1, momentum=0.9), "epochs": 2 if resume else 1, "batch_size": 13,
        "augment": datasets.Augmentation(flip=True, shift=0.2), "callbacks": [], "progress": False, **changes,
    }  # fmt: skip
    options["callbacks"] = [*options["callbacks"], Checkpoint(path)]
    return (model or small_run.small_model()).fit(x, one_hot, resume=path if resume else None, **options)


@pytest.mark.parametrize("changes, message", CHANGES)
def test_a_changed_setting_is_named(tmp_path, changes, message):
    fit(tmp_path / "c.npz", resume=False)
    with pytest.raises(CheckpointError) as caught:
        fit(tmp_path / "c.npz", **changes)
    assert f"this is not the training that was saved there: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def model(rate=0.25, activation="relu", preprocessing=None, seed=5, frozen=False, dtype="float32"):
    stack = [
        layers.Conv2D(4, 3, activation=activation), layers.Dropout(rate), layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ]  # fmt: skip
    stack[0].trainable = not frozen
    return Sequential(stack, (9, 7, 2), seed=seed, dtype=dtype, preprocessing=preprocessing)


MODELS = [
    ({"rate": 0.5}, "layer dropout_1 was Dropout(rate=0.25) in the run and is now Dropout(rate=0.5)"),
    ({"activation": "tanh"}, "layer conv2d_1 was Conv2D(activation='relu') in the run and is now"
     " Conv2D(activation='tanh')"),
    ({"frozen": True}, "layer conv2d_1 was Conv2D(trainable=True) in the run and is now Conv2D(trainable=False)"),
    ({"preprocessing": Unit()}, "preprocessing was Standardize(mean=[1.0, 1.0], std=[2.0, 2.0]) in the run and is"
     " now Unit()"),
    ({"preprocessing": Standardize([1, 1], [2, 3])}, "preprocessing was Standardize(std=[2.0, 2.0]) in the run and is"
     " now Standardize(std=[2.0, 3.0])"),
    ({"seed": 6}, "the model's seed was 5 in the run and is now 6"),
    ({"dtype": "float64"}, "dtype was float32 in the run and is now float64"),
]  # fmt: skip


@pytest.mark.parametrize("changes, message", MODELS)
def test_a_changed_model_is_named(tmp_path, changes, message):
    usual = {"preprocessing": Standardize([1, 1], [2, 2])}
    fit(tmp_path / "c.npz", model(**usual), resume=False, seed=0)
    with pytest.raises(CheckpointError) as caught:
        fit(tmp_path / "c.npz", model(**usual | changes), seed=0)
    assert message in str(caught.value)
    fit(tmp_path / "c.npz", model(preprocessing=Standardize([1 + 1e-14, 1], [2, 2])), seed=0)


def test_what_may_change(tmp_path):
    """More epochs at a constant rate give the bits of a training that was meant to be that long."""
    whole, longer = small_run.small_model(), small_run.small_model()
    fit(tmp_path / "whole.npz", whole, resume=False, epochs=3)
    fit(tmp_path / "c.npz", resume=False)
    log = CSVLog(tmp_path / "log.csv")
    fit(tmp_path / "c.npz", longer, epochs=3, callbacks=[log], workers=0, cache_features=False)
    assert np.array_equal(whole.vector.values, longer.vector.values)
    assert len(log.path.read_text().splitlines()) == 4


def test_the_state_of_a_callback_does_not_depend_on_its_place(tmp_path):
    validation = small_run.images_and_labels(20)
    validation = validation[0], np.eye(3)[validation[1]]
    stopping = EarlyStopping(patience=50)
    fit(tmp_path / "c.npz", resume=False, callbacks=[stopping], validation=validation)
    again = EarlyStopping(patience=50)

    class Look(Callback):
        def on_train_begin(self, trainer):
            self.best = again.best

    look = Look()
    fit(tmp_path / "c.npz", callbacks=[look, again], validation=validation)
    assert look.best == stopping.best is not None
    with pytest.raises(CheckpointError, match="expected a callback EarlyStopping as in the run, got none"):
        fit(tmp_path / "c.npz", validation=validation)


def test_settings_of_ones_own_that_are_no_json(tmp_path):
    class Falling(schedules.Schedule):
        def __init__(self, rates):
            self.rates, self.calls = rates, object()

        def __call__(self, step):
            return float(self.rates[min(step, 3)])

    def optimizer(last):
        return optimizers.SGD(Falling([np.float32(0.5), np.float64(0.25), 0.125, last]))

    fit(tmp_path / "c.npz", resume=False, optimizer=optimizer(0.1), augment=lambda images, rng: images)
    fit(tmp_path / "c.npz", optimizer=optimizer(0.1), augment=lambda images, rng: images)
    with pytest.raises(CheckpointError, match=r"learning_rate was Falling\(rates=\[0.5, 0.25, 0.125, 0.1\]\)"):
        fit(tmp_path / "c.npz", optimizer=optimizer(0.2), augment=lambda images, rng: images)


EDITED = [
    ("learning_rate", 0.02, "learning_rate was OneCycle(maximum=0.01) in the run and is now OneCycle(maximum=0.02)"),
    ("epochs", 3, "learning_rate was OneCycle(steps=20) in the run and is now OneCycle(steps=30)"),
    ("batch_size", 10, "batch_size was 5 in the run and is now 10"),
    ("seed", 1, "seed was 0 in the run and is now 1"),
]


@pytest.mark.parametrize("name, value, message", EDITED)
def test_an_edited_config_of_a_run_is_noticed(tmp_path, monkeypatch, name, value, message):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 9, 7, 2), dtype=np.uint8), np.arange(60) % 3
    data = datasets.Dataset("small", images[:50], labels[:50], images[50:], labels[50:], ("a", "b", "c"))
    small = recipes.Recipe("Small", lambda *_: data, lambda data, seed: model(seed=seed), 2, 5, 0.01)
    monkeypatch.setitem(recipes.RECIPES, "digits", small)
    monkeypatch.setattr("minitorch_cnn.runs.train.write_training_report", lambda *_: None)
    folder = runs.start(runs.Settings("digits", None, 2, 5, 0.01, 0), tmp_path / "run", progress=False)
    config = json.loads(folder.config.read_text())
    config["settings"][name] = value
    folder.config.write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as caught:
        runs.resume(tmp_path / "run", progress=False)
    assert message in str(caught.value)


def test_several_processes_refuse_with_one_voice_and_one_continues(tmp_path):
    """The first process compares the settings and the whole data set, of which each has only a share in a batch."""
    pytest.importorskip("mpi4py")
    program = Path(__file__).parents[1] / "faults" / "small_training.py"
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")

    def train(processes, act, *arguments):
        command = [mpiexec, "-n", processes, sys.executable, program, act, 1, 2, "train", "--quiet", *arguments]
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
        return result.returncode, result.stderr

    assert train(2, "ctrl_c", "--out", tmp_path / "run")[0] == 130
    config = tmp_path / "run" / "config.json"
    right = config.read_text()
    config.write_text(right.replace('"batch_size": 13', '"batch_size": 12'))
    code, said = train(2, "none", "--resume", tmp_path / "run")
    assert code == 2 and said.count("batch_size was 13 in the run and is now 12") == 1
    config.write_text(right)
    assert train(3, "none", "--resume", tmp_path / "run") == (0, "")


def test_the_history_is_not_lost_with_an_interruption(tmp_path):
    class Stop(Callback):
        def on_batch_end(self, trainer):
            if trainer.epoch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fit(tmp_path / "c.npz", resume=False, epochs=3, callbacks=[Stop()])
    assert len(caught.value.history["loss"]) == 1
