"""A traced step is the step that training makes, and every figure in the trace means what its name says."""

import math

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses, optimizers
from minitorch_cnn.lessons.remarks import remarks
from minitorch_cnn.lessons.step import Statistics
from minitorch_cnn.lessons.trace import trace_step
from minitorch_cnn.lessons.trace_text import short, trace_text, value


def network(**options):
    stack = [
        layers.Conv2D(4, (3, 2), padding="same", activation="relu"),
        layers.BatchNorm(),
        layers.MaxPool2D(2),
        layers.Dropout(0.3),
        layers.Conv2D(3, 3, activation="relu", algorithm="winograd"),
        layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    ]
    return mtc.Sequential(stack, (8, 10, 2), seed=3, **options)


X = np.random.default_rng(0).standard_normal((6, 8, 10, 2)).astype(np.float32)
LABELS = [0, 4, 2, 2, 1, 3]


@pytest.mark.parametrize("frozen", [None, "conv2d_1", "conv2d_2"])
def test_a_traced_step_equals_a_training_step(frozen):
    traced, plain = network(), network()
    for model in (traced, plain):
        if frozen:
            model.freeze(layers=[frozen])
    step = trace_step(traced, X, LABELS, optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01))
    loss = plain.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1, momentum=0.9, weight_decay=0.01))
    assert step.loss == pytest.approx(loss, rel=1e-6)
    for one, other in zip(traced.layers, plain.layers):
        for name in one.trained():
            np.testing.assert_allclose(one.parameters[name], other.parameters[name], rtol=1e-5, atol=1e-7)


def test_the_figures_of_each_layer():
    model, copy = network(), network()
    before = {key: np.array(value) for key, value in model.state().items()}
    step = trace_step(model, X, LABELS, optimizers.SGD(0.1))
    rows = {row.name: row for row in step.layers}
    assert list(rows) == [layer.name for layer in model.layers]
    assert rows["conv2d_1"].multiplications == rows["conv2d_1"].performed == 8 * 10 * 3 * 2 * 2 * 4
    assert rows["conv2d_2"].multiplications == 2 * 3 * 3 * 3 * 4 * 3
    assert rows["conv2d_2"].performed == 1 * 36 * 4 * 3 and rows["conv2d_2"].algorithm == "winograd"
    assert rows["dense_1"].multiplications == 18 * 5 and rows["max_pool2d_1"].multiplications == 0
    assert rows["conv2d_1"].kept_bytes == 6 * 8 * 10 * 4 * 4 and rows["flatten_1"].kept_bytes == 0
    assert sum(row.parameters for row in step.layers) == sum(layer.count_parameters() for layer in model.layers)
    x = X
    for layer in copy.layers:
        x = layer.forward(x, True)
        seen = rows[layer.name].activation
        assert (seen.mean, seen.std) == pytest.approx((x.mean(), x.std()), abs=1e-5)
        assert (seen.smallest, seen.largest) == (x.min(), x.max())
        assert seen.zeros == pytest.approx((x == 0).mean()) and seen.rms == pytest.approx(
            math.sqrt((x**2).mean()), rel=1e-5
        )
    for name, row in rows.items():
        for parameter, move in row.moves.items():
            old, new = before[name, parameter], model.get_layer(name).parameters[parameter]
            assert move.weights == pytest.approx(np.linalg.norm(old), rel=1e-5)
            assert move.update == pytest.approx(np.linalg.norm(new - old), rel=1e-4)
            assert move.update == pytest.approx(0.1 * move.gradient, rel=1e-3)  # plain SGD
    assert math.isnan(rows["dense_1"].moves["bias"].ratio)  # biases start at zero
    assert rows["dense_1"].gradient.rms == pytest.approx(
        np.sqrt(np.mean(((copy.layers[-1].recall()[-1] - np.eye(5)[LABELS]) / 6) ** 2)), rel=1e-5
    )
    assert step.outputs["conv2d_1"].shape == (8, 10, 4) and "flatten_1" not in step.outputs
    assert step.prediction.shape == step.prediction_after.shape == (6, 5)
    assert step.loss_after == pytest.approx(-np.log(step.prediction_after[np.arange(6), LABELS]).mean(), rel=1e-4)


def test_timing_the_fused_passes_changes_nothing():
    step = trace_step(network(), X, LABELS, optimizers.SGD(0.1))
    assert 0 < step.joined_seconds < 10
    said = trace_text(step)
    assert "one layer at a time: forward" in said
    assert f"as training runs them, with some neighbouring layers fused: {1e3 * step.joined_seconds:.0f} ms" in said
    cold = trace_step(network(), X, LABELS, optimizers.SGD(0.1), warm_up=False)
    assert (cold.loss, cold.loss_after) == (step.loss, step.loss_after)  # dropout drew the same mask


def test_layers_below_the_lowest_trainable_one_are_not_visited():
    model = network().freeze(through="batch_norm_1")
    step = trace_step(model, X, LABELS, optimizers.SGD(0.1))
    states = [(row.state, row.gradient is None, row.kept_bytes == 0) for row in step.layers[:4]]
    assert states == [("frozen", True, True), ("frozen", True, True), ("", True, True), ("", True, True)]
    assert "not visited" in trace_text(step)


def test_dead_relus_are_counted_and_remarked_on():
    model = mtc.Sequential([layers.Dense(7, "relu"), layers.Dense(3, "softmax")], (4,), seed=0)
    model.layers[0].parameters["bias"] = [-100, -100, -100, 0, 0, 100, 100]
    step = trace_step(model, np.random.default_rng(1).standard_normal((40, 4)), [0, 1, 2, 0] * 10, optimizers.SGD(1e-3))
    assert step.layers[0].silent == 3 and step.layers[0].channels == 7
    assert any("dense_1: 3 of 7 ReLUs are 0 for all 40 images" in words for words in remarks(step))
    assert "3/7" in trace_text(step)


def small_step(rate, scale=1.0):
    model = mtc.Sequential([layers.Dense(8, "tanh"), layers.Dense(3, "softmax")], (4,), seed=0)
    x = scale * np.random.default_rng(1).standard_normal((30, 4))
    return trace_step(model, x, [0, 1, 2] * 10, optimizers.SGD(rate))


def test_remarks_name_what_stands_out():
    assert any("above 0.01 of the weights" in words for words in remarks(small_step(3.0)))
    assert any("below 0.0001 of the weights" in words for words in remarks(small_step(1e-6)))
    assert any("the loss did not fall" in words for words in remarks(small_step(1000.0)))
    assert any("log(3) = 1.10" in words for words in remarks(small_step(0.01, 0.01)))
    assert any("NaN or infinite" in words for words in remarks(small_step(0.01, np.nan)))


def test_a_model_without_class_labels_can_be_traced():
    model = mtc.Sequential([layers.Conv2D(2, 2), layers.ReLU()], (4, 5, 1), seed=0)
    step = trace_step(model, np.ones((1, 4, 5, 1)), np.zeros((1, 3, 4, 2)), optimizers.SGD(0.01))
    assert step.loss_name == "MeanSquaredError" and step.loss_after < step.loss
    assert "1 image;" in trace_text(step)


def test_tracing_leaves_draws_and_averages_as_one_step_does():
    traced, plain = network(), network()
    trace_step(traced, X, LABELS, optimizers.SGD(0.1), warm_up=True)
    plain.train_step(X, LABELS, losses.CrossEntropy(), optimizers.SGD(0.1))
    assert traced.layers[3].draws == plain.layers[3].draws == 1


def test_statistics_of_large_numbers_do_not_overflow():
    assert Statistics.of(np.full(1000, 1e30, np.float32)).rms == pytest.approx(1e30)


@pytest.mark.parametrize(
    "number, text", [(0, "0"), (432, "432"), (1849688064, "1.85G"), (2_000_000, "2M"), (1500, "1.5k")]
)
def test_counts_are_short(number, text):
    assert short(number) == text


def test_a_certain_network_has_nothing_to_learn():
    model = mtc.Sequential([layers.Dense(2, "softmax")], (2,), seed=0)
    model.layers[0].parameters["kernel"] = [[50, -50], [-50, 50]]
    step = trace_step(model, np.eye(2), [0, 1], optimizers.SGD(0.1))
    said = " ".join(remarks(step))
    assert "certain of these answers" in said and "did not fall" not in said and "hardly learn" not in said


@pytest.mark.parametrize(
    "number, words",
    [(0, "0"), (-0.00321, "-0.0032"), (9.96, "10"), (99.6, "100"), (-1234.5, "-1200"), (99_900, "1e+05"),
     (2e-32, "2e-32"), (math.inf, "inf"), (math.nan, "nan")],
)  # fmt: skip
def test_two_digits_of_a_number(number, words):
    assert value(number) == words
    assert number != number or value(abs(number), "+") == "+" + words.removeprefix("-")
