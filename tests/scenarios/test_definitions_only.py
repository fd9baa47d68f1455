"""With definitions only, a step passes through `engine/` alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenario_models import LABELS, X, small_net

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.datasets import Augmentation, affine

PACKAGE = Path(mtc.__file__).parent


def rooms_entered(work):
    """The rooms whose code runs during `work()`."""
    rooms = set()

    def watch(frame, event, _):
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if PACKAGE in path.parents:
                rooms.add(path.relative_to(PACKAGE).with_suffix("").parts[0])

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return rooms


@pytest.mark.parametrize("algorithm", ["naive", "im2col", "row_windows", "winograd"])
def test_a_convolution_passes_through_the_engine_alone(algorithm):
    layer = layers.Conv2D(3, 3, padding="same", activation="relu", algorithm=algorithm)
    x = X[:1, :6, :5]
    layer.forward(x)

    def step():
        with mtc.definitions_only():
            y, kept = layer.forward_pass(x, True)
            layer.backward_pass(np.ones_like(y), kept)

    assert rooms_entered(step) == {"engine", "arguments", "arrays"}


def test_a_training_step_enters_no_twin():
    model, optimizer = small_net(), optimizers.SGD(0.1, momentum=0.9)
    model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)

    def step():
        with mtc.definitions_only():
            model.train_step(X, LABELS, losses.CrossEntropy(), optimizer)

    # network: the model hands itself to the walk; twins: whether stages are to be used is asked once a pass; training:
    # what a loss given by name means.
    assert rooms_entered(step) <= {"engine", "arguments", "arrays", "network", "twins", "training"}
    entered = rooms_entered(step)
    assert {"engine", "network"} <= entered
    compiled = [name for name in sys.modules if name.startswith("minitorch_cnn.twins.numba.")]
    for name in compiled:
        assert not called_in(step, sys.modules[name].__file__)


def called_in(work, file):
    """Whether code of `file` runs during `work()`."""
    calls = []

    def watch(frame, event, _):
        if event == "call" and frame.f_code.co_filename == file:
            calls.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


PROGRAM = (
    "import sys, numpy as np, minitorch_cnn as mtc\n"
    "from minitorch_cnn import cli\n"
    "code = cli.main(sys.argv[1:])\n"
    "print(code, any(name.startswith('minitorch_cnn.twins.numba.conv') for name in sys.modules))\n"
)
COMMANDS = {
    "check-gradients": ["check-gradients", "--brief", "--most", "3"],
    "explain": ["explain", "tiny-vgg"],
    "train": ["train", "--quiet", "--epochs", "1", "--out", "RUN"],
}


def run(command, tmp_path, *, options=(), variable=None):
    arguments = [str(tmp_path / "run") if word == "RUN" else word for word in COMMANDS[command]]
    environment = {**os.environ, **({"MINITORCH_CNN_DEFINITIONS": variable} if variable else {})}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, *options], env=environment, capture_output=True, text=True
    )
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("command", ["check-gradients", "explain"])
def test_the_option_and_the_variable_run_definitions_only(command, tmp_path):
    for settings in ({"options": ["--definitions"]}, {"variable": "1"}):
        lines, error = run(command, tmp_path, **settings)
        assert lines[-1] == "0 False", error
    lines, error = run(command, tmp_path, variable="0")
    assert lines[-1] == "0 True", error


@pytest.mark.campaign
def test_train_with_definitions_only(tmp_path):
    lines, error = run("train", tmp_path, options=["--definitions"])
    assert lines[-1] == "0 False" and "test accuracy" in "".join(lines), error


def test_the_threads_that_prepare_batches_run_definitions_too(monkeypatch):
    ran = []
    twin = affine.resample.find("numba")
    monkeypatch.setitem(affine.resample.twins, "numba", lambda *a, **k: (ran.append(1), twin(*a, **k))[1])
    x, labels = np.random.default_rng(0).random((12, 9, 8, 3), dtype=np.float32), np.arange(12) % 3
    model = mtc.Sequential([layers.Flatten(), layers.Dense(3, activation="softmax")], x.shape[1:], seed=0)
    settings = {"optimizer": optimizers.SGD(0.1), "epochs": 1, "batch_size": 4, "augment": Augmentation(rotate=10)}
    settings |= {"progress": False, "workers": 2}
    with mtc.definitions_only():
        model.fit(x, labels, **settings)
    assert not ran
    model.fit(x, labels, **settings)
    assert ran
