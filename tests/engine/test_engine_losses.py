"""Losses: exact for scores of any size, the same joint and apart, and labels that do not fit named."""

import math

import numpy as np
import pytest
from engine_helpers import normal, one_line, relative_error
from minitorch_cnn.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError

import minitorch_cnn as mtc
from minitorch_cnn import layers, losses
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError

LOG2, LOG3 = math.log(2), math.log(3)

# (scores, class, loss, dscores), exact to the last bit but one
ROWS = [
    ([1e4, 0, -1e4], 0, 0, [0, 0, 0]),
    ([1e4, 0, -1e4], 1, 1e4, [1, -1, 0]),
    ([1e4, 0, -1e4], 2, 2e4, [1, 0, -1]),
    ([1e4, 1e4, -1e4], 0, LOG2, [-0.5, 0.5, 0]),
    ([-1e4, -1e4, -1e4], 2, LOG3, [1 / 3, 1 / 3, -2 / 3]),
    ([0, 0, 0], 1, LOG3, [1 / 3, -2 / 3, 1 / 3]),
    ([0, LOG2, 0], 1, LOG2, [0.25, -0.5, 0.25]),
]


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-7), ("float64", 1e-15)])
def test_cross_entropy_of_any_scores(dtype, tolerance):
    for scores, label, loss, dscores in ROWS:
        for labels in ([label], np.eye(3)[[label]]):
            value, gradient = CrossEntropy().from_scores(np.array([scores], dtype), labels)
            assert value == pytest.approx(loss, rel=tolerance, abs=tolerance)
            assert gradient.dtype == dtype and np.abs(gradient - dscores).max() <= tolerance
    scores = np.array([row[0] for row in ROWS], dtype)
    value, gradient = CrossEntropy().from_scores(scores, [row[1] for row in ROWS])
    assert value == pytest.approx(sum(row[2] for row in ROWS) / 7, rel=tolerance)
    assert np.abs(gradient - np.array([row[3] for row in ROWS]) / 7).max() <= tolerance


# (score, label, loss, dscore): log(1 + exp(-s)) is exp(-s) itself to within exp(-2s)
NUMBERS = [
    (1e4, 1, 0, 0),
    (1e4, 0, 1e4, 1),
    (-1e4, 1, 1e4, -1),
    (-1e4, 0, 0, 0),
    (1e4, 0.25, 7500, 0.75),
    (0, 1, LOG2, -0.5),
    (0, 0.5, LOG2, 0),
    (40, 1, math.exp(-40), -math.exp(-40)),
    (-40, 1, 40, -1),
    (LOG3, 1, math.log(4 / 3), -0.25),
]


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-7), ("float64", 1e-15)])
def test_binary_cross_entropy_of_any_scores(dtype, tolerance):
    for score, label, loss, dscore in NUMBERS:
        value, gradient = BinaryCrossEntropy().from_scores(np.array([[score]], dtype), [label])
        assert value == pytest.approx(loss, rel=tolerance, abs=tolerance * 1e-3)
        assert gradient.dtype == dtype and abs(gradient[0, 0] - dscore) <= tolerance
    scores = np.array(NUMBERS)[:, :1].astype(dtype)
    value, gradient = BinaryCrossEntropy().from_scores(scores, np.array(NUMBERS)[:, 1])
    assert value == pytest.approx(np.mean(np.array(NUMBERS)[:, 2]), rel=tolerance)
    assert np.abs(gradient[:, 0] * 10 - np.array(NUMBERS)[:, 3]).max() <= 2 * tolerance


def test_a_model_with_extreme_scores_still_learns():
    """Through the rounded probability the loss would be infinite, and the gradient nothing or not a number."""
    for last, loss, labels, wanted, dkernel in [
        ("softmax", CrossEntropy(), [0, 1], 2e4, [[-1, 1]]),
        ("sigmoid", BinaryCrossEntropy(), [[1, 0], [0, 1]], 1e4, [[-0.5, 0.5]]),
    ]:
        model = mtc.Sequential([layers.Dense(2, last)], (1,), seed=0)
        model.layers[0].parameters["kernel"] = [[-1e4, 1e4]]
        assert model.loss_and_gradients([[1.0], [-1.0]], labels, loss) == wanted
        assert model.prediction.tolist() == [[0, 1], [1, 0]]
        assert model.layers[0].gradients["kernel"].tolist() == dkernel


@pytest.mark.parametrize(
    "loss, activation, labels",
    [
        (CrossEntropy(), layers.Softmax(), [2, 0, 1, 1]),
        (CrossEntropy(), layers.Softmax(), np.abs(normal((4, 3), 1))),
        (BinaryCrossEntropy(), layers.Sigmoid(), (normal((4, 3), 2) > 0).astype(int)),
        (BinaryCrossEntropy(), layers.Sigmoid(), np.full((4, 3), 0.3)),
    ],
)
def test_joint_and_separate_derivatives_agree(loss, activation, labels):
    scores = 3 * normal((4, 3))
    value, dscores = loss.from_scores(scores, labels)
    separate_value, dy = loss.value_and_gradient(activation.forward(scores), labels)
    assert value == pytest.approx(separate_value, rel=1e-13)
    assert relative_error(dscores, activation.backward(dy)) < 1e-13


@pytest.mark.parametrize("last", ["softmax", "softmax layer", "sigmoid", "sigmoid layer"])
def test_models_use_the_joint_derivative(monkeypatch, last):
    kind = CrossEntropy if "softmax" in last else BinaryCrossEntropy
    layer = {"softmax layer": layers.Softmax, "sigmoid layer": layers.Sigmoid}.get(last)
    stack = [layers.Dense(3), layer()] if layer else [layers.Dense(3, last)]
    model = mtc.Sequential(stack, (5,), seed=0, dtype="float64")
    x, labels = normal((4, 5)), np.eye(3)[[0, 1, 2, 1]]
    value = model.loss_and_gradients(x, labels, kind())
    joint = model.layers[0].gradients["kernel"].copy()
    separate, dy = kind().value_and_gradient(model.forward(x), labels)
    model.backward(dy)
    assert value == pytest.approx(separate, rel=1e-13)
    assert relative_error(model.layers[0].gradients["kernel"], joint) < 1e-13
    taken, right = [], kind.from_scores
    monkeypatch.setattr(kind, "from_scores", lambda *arguments: (taken.append(1), right(*arguments))[1])
    assert model.loss_and_gradients(x, labels, kind()) == value and taken


def test_hand_worked_values():
    prediction = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    value, gradient = CrossEntropy().value_and_gradient(prediction, [0, 2])
    assert value == pytest.approx((LOG2 + math.log(10)) / 2)
    np.testing.assert_allclose(gradient, [[-1, 0, 0], [0, 0, -5]])
    value, gradient = BinaryCrossEntropy().value_and_gradient(np.array([[0.5], [0.8]]), [1, 0])
    assert value == pytest.approx((LOG2 + math.log(5)) / 2)
    np.testing.assert_allclose(gradient, [[-1], [2.5]])
    value, gradient = MeanSquaredError().value_and_gradient(np.array([[1.0, 2.0], [3.0, 5.0]]), [[1, 0], [6, 4]])
    assert value == (0 + 4 + 9 + 1) / 4
    assert gradient.tolist() == [[0, 1], [-1.5, 0.5]]


def test_given_probabilities_are_kept_from_zero_and_one_as_in_keras():
    value, gradient = CrossEntropy().value_and_gradient(np.array([[0.0, 1.0]]), [0])
    assert value == pytest.approx(-math.log(1e-7)) and np.isfinite(gradient).all()
    for dtype in ("float32", "float64"):
        value, gradient = BinaryCrossEntropy().value_and_gradient(np.array([[0.0], [1.0]], dtype), [1, 0])
        assert 15.9 < value < 16.2 and np.isfinite(gradient).all()


def test_all_forms_of_labels_mean_the_same():
    scores = normal((3, 4))
    numbers = np.array([3, 0, 2])
    one_hot = np.eye(4)[numbers]
    forms = [numbers, numbers.tolist(), tuple(numbers), numbers[:, None], numbers.astype("uint8"), numbers.astype("f4"),
             one_hot, one_hot.astype(bool), one_hot.astype(int).tolist()]  # fmt: skip
    values = {CrossEntropy().from_scores(scores, labels)[0] for labels in forms}
    assert len(values) == 1
    bits = np.array([1, 0, 1])
    forms = [bits, bits.tolist(), bits[:, None], bits.astype(bool), bits.astype("float32")]
    assert len({BinaryCrossEntropy().from_scores(scores[:, :1], labels)[0] for labels in forms}) == 1


WRONG = [
    (CrossEntropy, (3, 4), [0, 1], LabelError, ["(3,)", "(3, 4)", "(2,)"]),
    (CrossEntropy, (3, 4), [0, 1, 4], LabelError, ["0 to 3", "4"]),
    (CrossEntropy, (3, 4), [0, -1, 3], LabelError, ["0 to 3", "-1"]),
    (CrossEntropy, (3, 4), [0.5, 1, 2], LabelError, ["0 to 3", "0.5"]),
    (CrossEntropy, (3, 4), [0, np.nan, 2], LabelError, ["0 to 3"]),
    (CrossEntropy, (3, 4), ["cat", "dog", "cat"], LabelError, ["numbers"]),
    (CrossEntropy, (3, 4), np.eye(5)[[0, 1, 2]], LabelError, ["(3, 4)", "(3, 5)"]),
    (CrossEntropy, (3, 4), np.eye(4)[[0, 1]], LabelError, ["(3, 4)", "(2, 4)"]),
    (CrossEntropy, (3, 4), 2, LabelError, ["(3,)", "()"]),
    (CrossEntropy, (3, 1), [0, 0, 0], ShapeError, ["(3, 1)", "BinaryCrossEntropy"]),
    (CrossEntropy, (3, 2, 2, 4), [0, 1, 2], ShapeError, ["(N, classes)", "(3, 2, 2, 4)"]),
    (BinaryCrossEntropy, (3, 1), [0, 1], LabelError, ["(3, 1)", "(2,)"]),
    (BinaryCrossEntropy, (3, 1), [0, 1, 2], LabelError, ["between 0 and 1", "2"]),
    (BinaryCrossEntropy, (3, 1), [0, -1, 1], LabelError, ["between 0 and 1", "-1"]),
    (BinaryCrossEntropy, (3, 1), [0, np.nan, 1], LabelError, ["between 0 and 1"]),
    (BinaryCrossEntropy, (3, 2), [0, 1, 1], LabelError, ["(3, 2)", "(3,)"]),
    (BinaryCrossEntropy, (3, 1), 1, LabelError, ["(3, 1)", "()"]),
    (MeanSquaredError, (3, 2), np.zeros((3, 3)), LabelError, ["(3, 2)", "(3, 3)"]),
    (MeanSquaredError, (3, 2), [1.0, 2.0, 3.0], LabelError, ["(3, 2)", "(3,)"]),
    (MeanSquaredError, (3, 1), 1.0, LabelError, ["(3, 1)", "()"]),
]


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("kind, shape, labels, error_class, fragments", WRONG)
def test_labels_that_do_not_fit(kind, shape, labels, error_class, fragments):
    for name in ("value_and_gradient", "from_scores"):
        if hasattr(kind, name):
            with pytest.raises(error_class) as error:
                getattr(kind(), name)(np.full(shape, 0.5), labels)
            assert one_line(error, kind.__name__, *fragments)


def test_the_loss_that_belongs_to_the_last_layer():
    for last, wanted in [("softmax", CrossEntropy), ("sigmoid", BinaryCrossEntropy), ("tanh", MeanSquaredError)]:
        assert type(mtc.Sequential([layers.Dense(3, last)], (2,)).default_loss()) is wanted
    assert type(mtc.Sequential([layers.Dense(3), layers.Softmax()], (2,)).default_loss()) is CrossEntropy
    assert type(mtc.Sequential([layers.Flatten()], (2,)).default_loss()) is MeanSquaredError
    assert list(losses.LOSSES) == [repr(loss())[:-2] for loss in losses.LOSSES.values()]


@pytest.mark.parametrize("labels", [[2, 0, 4, 4], [[2], [0], [4], [4]], np.eye(5)[[2, 0, 4, 4]]], ids=["N", "N1", "NK"])
def test_smoothed_labels(labels):
    """By hand: the loss of each class, times what the label gives that class."""
    scores, s, label = normal((4, 5)), 0.3, [2, 0, 4, 4]
    each = -(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))  # the loss if class k were right
    expected = np.mean([(1 - s) * row[k] + s * row.mean() for row, k in zip(each, label)])
    smoothing = CrossEntropy(label_smoothing=s)
    loss, gradient = smoothing.from_scores(scores, labels)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert smoothing.of_prediction(np.exp(-each), smoothing.check(scores, labels))[0] == pytest.approx(expected)
    step = 1e-6 * normal((4, 5), seed=1)
    ahead, behind = (smoothing.from_scores(scores + sign * step, labels)[0] for sign in (1, -1))
    assert (gradient * step).sum() == pytest.approx((ahead - behind) / 2, rel=1e-6)
    assert loss > CrossEntropy().from_scores(scores, labels)[0] * (1 - s)


def test_smoothing_is_a_setting_and_keeps_float32():
    loss = CrossEntropy(0.2)
    assert repr(loss) == "CrossEntropy(label_smoothing=0.2)" and CrossEntropy().config() == {}
    assert CrossEntropy(**loss.config()).label_smoothing == 0.2
    assert loss.from_scores(normal((3, 4), dtype="float32"), [0, 1, 2])[1].dtype == np.float32
    for wrong in (1, -0.1, "much"):
        with pytest.raises(ArgumentError, match="CrossEntropy: label_smoothing: expected a number in"):
            CrossEntropy(wrong)
