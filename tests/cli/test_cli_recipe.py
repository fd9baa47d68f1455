"""`minitorch-cnn train cifar10 --recipe fast`: another network, interrupted and resumed to the same bits."""

import json
from dataclasses import replace

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint

import minitorch_cnn as mtc
from minitorch_cnn import datasets, initializers, models, runs
from minitorch_cnn.cli import main
from minitorch_cnn.datasets.cifar10 import TEST_FILE, TRAIN_FILES
from minitorch_cnn.engine.losses import CrossEntropy
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.models.fast_recipe import FAST, LONG, VARIANTS, Triangles, net, recipe_named
from minitorch_cnn.models.recipes import RECIPES
from minitorch_cnn.runs import resuming
from minitorch_cnn.runs.train import recipe_for


class Interrupting(Checkpoint):
    """A checkpoint, and after the first batch of the second epoch what Ctrl-C does."""

    def on_batch_end(self, trainer):
        super().on_batch_end(trainer)
        if (trainer.epoch, trainer.batch) == (1, 1):
            trainer.interrupts.number = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """CIFAR-10 of ten random images to a file."""
    folder, rng = tmp_path_factory.mktemp("cifar"), np.random.default_rng(0)
    for name in (*TRAIN_FILES, TEST_FILE):
        rows = [bytes([label]) + rng.integers(0, 256, 3072, np.uint8).tobytes() for label in range(10)]
        (folder / name).write_bytes(b"".join(rows))
    return folder


def train(data, run, *more):
    words = ["train", "cifar10", "--recipe", "fast", "--data", data, "--out", run, "--epochs", 2, "--batch-size", 13]
    return main([str(word) for word in [*words, "--quiet", *more]])


def test_an_interrupted_run_ends_with_the_same_bits(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(VARIANTS["cifar10"], "fast", replace(FAST, model=net((5, 6, 7))))
    assert train(data, tmp_path / "whole") == 0
    said = capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(resuming, "Checkpoint", Interrupting)
        assert train(data, tmp_path / "run") == 130
    assert "interrupted in epoch 2 of 2 after batch 1 of 4" in capsys.readouterr().err
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    assert "include the label smoothing of 0.2: the lowest that is possible is 0.87" in capsys.readouterr().out
    whole, resumed = (mtc.load_model(tmp_path / name / "model.npz") for name in ("whole", "run"))
    assert whole.fingerprints() == resumed.fingerprints()

    images = datasets.cifar10(data)
    kernel = initializers.whitening(whole.receive(images.train_images), 2)
    np.testing.assert_allclose(whole.get_layer("whiten").parameters["kernel"], kernel, rtol=1e-5, atol=1e-6)
    answers = whole.predict(images.test_images, average_over=["flip", "shift"]).argmax(axis=1)
    assert f"test accuracy {np.mean(answers == images.test_labels):.4f} on 10 images" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["recipe"] == "fast"
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "--recipe fast" in page and "CIFAR-10, fast" in page and "include the label smoothing of 0.2" in page


@pytest.mark.parametrize("smoothing, classes", [(0.2, 10), (0.1, 3)])
def test_the_lowest_loss_with_label_smoothing_is_named(smoothing, classes):
    """That of a network whose probabilities are the smoothed labels; no other has a lower one."""
    loss, right = CrossEntropy(smoothing), np.eye(classes)[:1]
    lowest = loss.value_and_gradient(loss.smoothed(right), np.array([0]))[0]
    (said,) = replace(FAST, label_smoothing=smoothing).about_losses(classes)
    assert f"include the label smoothing of {smoothing}: the lowest that is possible is {lowest:.2f}, not 0" in said
    for other in (0.9 * loss.smoothed(right) + 0.1 / classes, 0.9 * loss.smoothed(right) + 0.1 * right):
        assert loss.value_and_gradient(other, np.array([0]))[0] > lowest
    assert RECIPES["cifar10"].about_losses(classes) == []


def test_the_networks_and_settings():
    """By hand: a block has 9 (before + own) x own weights and two shifts, the whitening layer 2x2x3x24."""

    def count(*widths):
        before, total = 24, 288
        for width in widths:
            total, before = total + 9 * (before + width) * width + 2 * 3 * width, width
        return total + 10 * before

    dataset = datasets.digits()
    for recipe, widths in ((FAST, (64, 128, 128)), (LONG, (64, 256, 256))):
        model = recipe.model(dataset, 0)
        assert sum(layer.count_parameters() for layer in model.layers) == count(*widths)
        assert recipe.loss.label_smoothing == 0.2
    assert models.cifar10_fast(seed=0).output_shape == (10,)
    optimizer = FAST.optimizer(0.5, 100)
    assert [optimizer.schedule(step) for step in (20, 60, 100)] == [0.5, 0.25, 0]
    assert FAST.optimizer(0.5, 100, 140).schedule.config() == {"maximum": 0.5, "ends": [100, 140]}
    assert [Triangles(0.5, [100, 140])(step) for step in (20, 108, 140)] == [0.5, 0.25, 0]
    assert RECIPES["cifar10"].loss is None and recipe_named("cifar10") is RECIPES["cifar10"]


@pytest.mark.parametrize("words, message", [
    (["cifar10", "--recipe", "slow"], "argument --recipe: invalid choice: 'slow'"),
    (["digits", "--recipe", "fast"], "recipe: expected none, as digits has only one recipe, got 'fast'"),
    ([".", "--recipe", "fast"], "--recipe: expected a data set with several (cifar10), got the folder ."),
])  # fmt: skip
def test_a_recipe_that_does_not_exist(words, message, capsys):
    with pytest.raises(SystemExit) if "slow" in words else pytest.MonkeyPatch.context():
        assert main(["train", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_run_of_an_unknown_recipe():
    with pytest.raises(ArgumentError, match="recipe: expected one of fast, long, got 'slow'"):
        runs.settings_for("cifar10", recipe="slow")
    with pytest.raises(CheckpointError, match="got 'slow'"):
        recipe_for(runs.Settings("cifar10", None, 1, 1, 0.1, 0, recipe="slow"))
