"""`minitorch-cnn lr-find` and `find_learning_rate`: the curve, the suggestion, and that the model is left as it was."""

import math

import numpy as np
import pytest
from own_images import write_classes

import minitorch_cnn as mtc
from minitorch_cnn import layers, optimizers
from minitorch_cnn.cli import main
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.report.rate_chart import draw_rates
from minitorch_cnn.training import LearningRates, find_learning_rate


def problem():
    """One weight for each of 4 numbers, and labels that are exactly twice their sum: the loss is a parabola."""
    x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    model = mtc.Sequential([layers.Dense(1, use_bias=False)], (4,), seed=3)
    return model, x, 2 * x.sum(axis=1, keepdims=True)


def test_the_rates_rise_geometrically_and_the_loss_is_that_of_plain_steps():
    model, x, y = problem()
    found = find_learning_rate(model, x, y, optimizers.SGD(1.0), lowest=1e-3, highest=1e-1, steps=21, batch_size=64)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 1e-1, 21), rtol=1e-9)
    w = model.layers[0].parameters["kernel"].astype(np.float64)
    for rate, loss in zip(found.rates, found.losses):
        error = x @ w - y
        assert loss == pytest.approx(float(np.mean(error**2)), rel=1e-3)
        w = w - rate * 2 * x.T @ error / len(x)
    smooth = np.cumsum([0.9 ** (20 - k) * loss for k, loss in enumerate(found.losses)])[-1] * 0.1 / (1 - 0.9**21)
    assert found.smoothed[-1] == pytest.approx(smooth)
    assert found.suggestion is not None and 1e-3 < found.suggestion <= 1e-1 / 3 * (1 + 1e-9)


def test_it_ends_when_the_loss_explodes_and_the_model_is_as_before():
    model, x, y = problem()
    before = model.layers[0].parameters["kernel"].copy()
    found = find_learning_rate(model, x, y, optimizers.SGD(1.0), lowest=1e-2, highest=1e6, steps=200, batch_size=16)
    assert np.array_equal(model.layers[0].parameters["kernel"], before)
    assert len(found.rates) < 150 and all(map(math.isfinite, found.smoothed))
    assert found.suggestion < 1  # a step on this parabola diverges from about 1 on
    history = model.fit(x, y, optimizer=optimizers.SGD(found.suggestion), epochs=20, batch_size=16, progress=False)
    assert history["loss"][-1] < 0.1 * history["loss"][0]


def test_batch_norms_get_their_statistics_back():
    model = mtc.Sequential([layers.Dense(3), layers.BatchNorm(), layers.Dense(2, "softmax")], (4,), seed=0)
    x = np.random.default_rng(1).standard_normal((40, 4)).astype(np.float32) + 5
    before = {key: np.array(value) for key, value in model.state().items()}
    find_learning_rate(model, x, np.arange(40) % 2, optimizers.Adam(1.0), steps=12, batch_size=8)
    after = model.state()
    assert before.keys() == after.keys() and all(np.array_equal(before[key], after[key]) for key in before)


def test_a_loss_that_never_falls_gives_no_suggestion():
    found = LearningRates([1e-3, 1e-2, 1e-1], [1.0, 1.0, 9.0], [1.0, 1.0, 3.0])
    assert found.suggestion is None and "never falls" in draw_rates(found)
    model, x, _ = problem()
    model.layers[0].parameters["kernel"][:] = 0
    assert find_learning_rate(model, x, np.zeros((64, 1), np.float32), optimizers.SGD(1.0), steps=10).suggestion is None


def test_the_first_losses_alone_decide_nothing():
    """The moving average of the first losses falls steeply by chance; the true fall begins later and takes longer."""
    rates = np.geomspace(1e-5, 1, 100)
    chance, flat, fall = np.linspace(3.6, 2.9, 6), np.full(44, 2.9), np.linspace(2.9, 1, 30)
    smoothed = [*chance, *flat, *fall, *np.linspace(1, 4, 20)]
    found = LearningRates(list(rates), smoothed, smoothed)
    assert rates[48] < found.suggestion <= rates[79] / 3


@pytest.mark.parametrize("options, message", [({"steps": 9}, "steps: expected a whole number of at least 10"),
                                              ({"lowest": 1.0}, "highest: expected a learning rate above"),
                                              ({"lowest": -1}, "lowest: expected a number above 0")])  # fmt: skip
def test_arguments_that_do_not_fit(options, message):
    model, x, y = problem()
    with pytest.raises(ArgumentError, match=message):
        find_learning_rate(model, x, y, optimizers.SGD(1.0), **options)


def test_the_command_writes_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "photos", {"a": 20, "b <b>": 20, "c": 20})
    assert main(["lr-find", "photos", "--size", "9", "--steps", "40", "--quiet"]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "lr-find.html").read_text()
    assert said.splitlines()[-1] == "page: lr-find.html"
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "lr-find.html"}
    if said.startswith("learning rate "):
        rate = said.split()[2].rstrip(":")
        assert f"minitorch-cnn train photos --size 9 --batch-size 8 --learning-rate {rate}" in page and rate in page
    assert "Loss over the learning rate" in page and "<svg" in page


def test_the_command_on_another_base(tmp_path, capsys):
    stack = [layers.Rescaling(1 / 255), layers.Conv2D(6, 3, activation="relu"), layers.GlobalAveragePool2D(),
             layers.Dense(7, activation="softmax")]  # fmt: skip
    mtc.Sequential(stack, (12, 12, 3), seed=2).save(tmp_path / "base.keras")
    write_classes(tmp_path / "photos", {"a": 20, "b": 20, "c": 20})
    words = ["lr-find", "--base", tmp_path / "base.keras", "--data", tmp_path / "photos", "--steps", 30, "--quiet",
             "--page", tmp_path / "x" / "page.html"]  # fmt: skip
    assert main([*map(str, words)]) == 0
    assert "photos on base.keras" in (tmp_path / "x" / "page.html").read_text()


MISTAKES = [
    (["lr-find", "--weights", "x.h5"], "--weights: expected a --base too, got none"),
    (["lr-find", "--base", "vgg16"], "expected --weights FILE"),
    (["lr-find", "{here}", "--base", "x.keras"], "--base: expected the photos with --data"),
    (["lr-find", "{here}"], "expected a folder for each class"),
    (["lr-find", "--steps", "3"], "--steps: expected a whole number of at least 10, got 3"),
    (["lr-find", "cifar10", "--data", "none", "--lowest", "2"], "--highest: expected a learning rate above the lowest"),
]


@pytest.mark.parametrize("arguments, message", MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main([word.format(here=tmp_path) for word in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "lr-find.html").exists()
