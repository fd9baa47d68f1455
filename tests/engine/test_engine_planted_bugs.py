"""Does the gradient check find the classic bug of each layer? Every bug here is planted on purpose."""

import numpy as np
import pytest
from engine_helpers import distinct, normal

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers, losses
from minitorch_cnn.engine.convolution import im2col, row_windows, winograd
from minitorch_cnn.engine.layers import average_pool2d, conv2d, max_pool2d, zero_pad2d
from minitorch_cnn.gradients.check import gradient_check
from minitorch_cnn.twins.numba.convolution import im2col as im2col_numba

IMAGE = (5, 6, 3)


def overwriting_max_pool_backward(dy, winner, input_shape, window, strides, padding):
    dx = np.zeros(input_shape)
    for n, i, j, c in np.ndindex(dy.shape):
        p, q = divmod(int(winner[n, i, j, c]), window[1])
        dx[n, i * strides[0] + p, j * strides[1] + q, c] = dy[n, i, j, c]  # should be +=
    return dx


def overwriting_col2im(columns, input_shape, window, strides, padding):
    (KH, KW), (SH, SW), (N, H, W, C) = window, strides, input_shape
    OH, OW = (H - KH) // SH + 1, (W - KW) // SW + 1
    columns = columns.reshape(N, OH, OW, KH, KW, C)
    dx = np.zeros(input_shape)
    for p in range(KH):
        for q in range(KW):
            dx[:, p : p + SH * OH : SH, q : q + SW * OW : SW] = columns[:, :, :, p, q]  # should be +=
    return dx


def without_padding(original):
    return lambda *arguments: original(*arguments[:5], (0, 0), *arguments[6:])


def flipped(original):
    return lambda dy, kernel, *rest: original(dy, kernel[::-1, ::-1], *rest)


def with_channels_exchanged(original):
    def backward_kernel(x, dy, shape, *rest):
        return original(x, dy, shape, *rest).transpose(0, 1, 3, 2)

    return backward_kernel


def first_row_negated(matrix):
    return (tuple(-number for number in matrix[0]), *matrix[1:])


def batch_norm_with_moving_means(self, dy, need_dx=True):
    x, mean, inverse, _ = self.cache
    normalised = (x - mean) * inverse
    self.gradients["gamma"], self.gradients["beta"] = (dy * normalised).sum((0, 1, 2)), dy.sum((0, 1, 2))
    return dy * self.parameters["gamma"] * inverse


def softmax_by_its_diagonal(self, dy, y):
    return dy * y * (1 - y)


def bias_forgotten(self, dscores, kept, need_dx=True):
    x, *_ = kept
    return dscores @ self.parameters["kernel"].T, {"kernel": x.T @ dscores}


def another_mask(self, dy, need_dx=True):
    keep = np.random.default_rng(0).random(dy.shape) >= self.rate
    return dy * keep / (1 - self.rate)


# name: ((module or class, attribute, a function from the original to the faulty version), layer, arrays found wrong)
PLANTED = {
    "col2im does not cut the padding off": (
        (im2col, "crop", lambda _: lambda x, padding: x),
        lambda: layers.Conv2D(2, (2, 3), padding=((1, 0), (0, 2)), algorithm="im2col"),
        {"input"},
    ),
    "the compiled col2im forgets the padding": (
        (im2col_numba, "_backward_input", without_padding),
        lambda: layers.Conv2D(2, (2, 3), padding=((1, 0), (2, 0)), algorithm="im2col"),
        {"input"},
    ),
    "col2im overwrites": (
        (im2col, "col2im", lambda _: overwriting_col2im),
        lambda: layers.Conv2D(2, 2, algorithm="im2col"),
        {"input"},
    ),
    "kernel flipped in the backward pass": (
        (im2col, "backward_input", flipped),
        lambda: layers.Conv2D(2, (2, 3), algorithm="im2col"),
        {"input"},
    ),
    "kernel gradient with channels exchanged": (
        (im2col, "backward_kernel", with_channels_exchanged),
        lambda: layers.Conv2D(3, (2, 3), algorithm="im2col"),
        {"conv2d/kernel"},
    ),
    "row windows with a kernel that is not rotated": (
        (row_windows, "turned", lambda _: lambda kernel: kernel.transpose(0, 1, 3, 2)),
        lambda: layers.Conv2D(2, (2, 3), algorithm="row_windows"),
        {"input"},
    ),
    "row windows forget the stride": (
        (row_windows, "windows", lambda right: lambda x, p, width, strides, out: right(x, p, width, (1, 1), out)),
        lambda: layers.Conv2D(2, (2, 3), strides=(2, 1), algorithm="row_windows"),
        {"input"},  # the kernel gradient forgets it as well, so it matches what forward computes
    ),
    "a Winograd transform with a wrong sign": (
        (winograd, "_transposed", lambda right: lambda matrix: first_row_negated(right(matrix))),
        lambda: layers.Conv2D(2, 3, algorithm="winograd"),
        {"conv2d/kernel"},
    ),
    "inverted ReLU mask of a convolution": (
        (activations, "relu_backward", lambda _: lambda dy, y: dy * (y <= 0)),
        lambda: layers.Conv2D(3, (2, 3), activation="relu"),
        {"input", "conv2d/kernel", "conv2d/bias"},
    ),
    "bias gradient of one image": (
        (conv2d, "channel_sum", lambda _: lambda dy: dy[0].sum((0, 1))),
        lambda: layers.Conv2D(3, (2, 3)),
        {"conv2d/bias"},
    ),
    "overlapping max pool overwrites": (
        (max_pool2d, "max_pool_backward", lambda _: overwriting_max_pool_backward),
        lambda: layers.MaxPool2D(3, 1),
        {"input"},
    ),
    "average pool counts the padding": (
        (average_pool2d.AveragePool2D, "shares", lambda _: lambda self, dy: 1 / 6 if dy.shape[1] == 3 else 1 / 4),
        lambda: layers.AveragePool2D(2, padding=((0, 1), (1, 1))),
        {"input"},
    ),
    "zero pad crops the wrong side": (
        (zero_pad2d, "crop", lambda _: lambda x, padding: x[:, :-1, :-1]),
        lambda: layers.ZeroPad2D(((1, 0), (1, 0))),
        {"input"},
    ),
    "inverted ReLU mask": (
        (activations, "relu_backward", lambda _: lambda dy, y: dy * (y <= 0)),
        lambda: layers.ReLU(),
        {"input"},
    ),
    "softmax with only the diagonal of its Jacobian": (
        (activations.Softmax, "backward", lambda _: softmax_by_its_diagonal),
        lambda: layers.Softmax(),
        {"input"},
    ),
    "batch norm with constant statistics": (
        (layers.BatchNorm, "backward", lambda _: batch_norm_with_moving_means),
        lambda: layers.BatchNorm(),
        {"input"},
    ),
    "dropout with a new mask in the backward pass": (
        (layers.Dropout, "backward", lambda _: another_mask),
        lambda: layers.Dropout(0.5),
        {"input"},
    ),
    "dropout not scaled": (
        (layers.Dropout, "backward", lambda _: lambda self, dy, need_dx=True: dy * self.cache[0]),
        lambda: layers.Dropout(0.5),
        {"input"},
    ),
    "a NaN": (
        (layers.Flatten, "backward", lambda right: lambda *a, **k: spoiled(right(*a, **k), np.nan)),
        lambda: layers.Flatten(),
        {"input"},
    ),
    "an infinity": (
        (layers.Flatten, "backward", lambda right: lambda *a, **k: spoiled(right(*a, **k), np.inf)),
        lambda: layers.Flatten(),
        {"input"},
    ),
    "one number in ninety wrong by 1 in 10000": (
        (layers.Flatten, "backward", lambda right: lambda *a, **k: right(*a, **k) * _nearly_one(a[1])),
        lambda: layers.Flatten(),
        {"input"},
    ),
}


def spoiled(dx, value):
    dx = dx.copy()  # it may be a view of dy
    dx[1, 2, 3, 1] = value
    return dx


def _nearly_one(dy):
    factors = np.ones((2, *IMAGE))
    factors.flat[np.abs(dy).argmax()] = 1.0001
    return factors


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(monkeypatch, name):
    (place, attribute, faulty), make, wrong = PLANTED[name]
    layer, x = make(), distinct((2, *IMAGE), 5)
    compiled = place is im2col_numba
    assert gradient_check(layer, x, training=True).passed
    monkeypatch.setattr(place, attribute, faulty(getattr(place, attribute)))
    if compiled:
        report = gradient_check(layer, x, training=True)
    else:
        with mtc.definitions_only():
            report = gradient_check(layer, x, training=True)
    assert not report and not report.kinks, report
    assert {element.name for element in report.failures} == wrong
    assert "DISAGREES" in str(report) and "BAD" in str(report)


def test_a_missing_bias_gradient_is_found(monkeypatch):
    monkeypatch.setattr(layers.Dense, "backward_scores", bias_forgotten)
    model = mtc.Sequential([layers.Dense(4, "tanh"), layers.Dense(3, "softmax")], (5,), seed=0)
    for labels in (None, [0, 2]):
        report = gradient_check(model, normal((2, 5)), labels)
        assert {element.name for element in report.failures} == {"dense_1/bias", "dense_2/bias"}
        assert all(element.backward == 0 != element.numerical for element in report.failures)


class Summed(losses.CrossEntropy):
    """Cross-entropy whose gradient lacks the factor 1 / N."""

    def from_scores(self, scores, labels):
        value, dscores = super().from_scores(scores, labels)
        return value, dscores * len(scores)


class SlightlyOff(losses.MeanSquaredError):
    """Mean squared error whose gradient is too large by 1 in 10000."""

    def value_and_gradient(self, prediction, labels):
        value, gradient = super().value_and_gradient(prediction, labels)
        return value, gradient * 1.0001


@pytest.mark.parametrize("scale", [1e4, 1, 1e-3, 1e-5])
@pytest.mark.parametrize("loss, last", [(Summed, "softmax"), (SlightlyOff, None)])
def test_a_wrong_loss_is_found_whatever_the_size_of_its_gradients(loss, last, scale):
    model = mtc.Sequential([layers.Dense(3, last, use_bias=False), layers.Dense(3, last)], (4,), seed=0)
    x, labels = scale * normal((5, 4)), np.eye(3)[[0, 2, 1, 1, 0]]
    report = gradient_check(model, x, labels, loss())
    assert not report.passed and not report.kinks, report
    assert gradient_check(model, x, labels, loss.__base__()).passed


def named(elements):
    return [(element.name, element.index) for element in elements]


@pytest.mark.parametrize("training", [False, True])
def test_relu_at_zero_is_a_kink_and_not_a_bug(training):
    x = np.array([[[0.0, 1.0], [-2.0, 0.0]]])
    for subject in (layers.ReLU(), mtc.Sequential([layers.ReLU()], (2, 2))):
        report = gradient_check(subject, x, training=training)
        assert report.passed and named(report.kinks) == [("input", (0, 0, 0)), ("input", (0, 1, 1))]
        assert all(element.kink and element.backward == 0 for element in report.kinks)
        assert str(report).count("kink") == 4  # one line for each kink, with a note on it


def test_relu_near_zero_is_a_kink():
    report = gradient_check(layers.ReLU(), np.array([[3e-7, -4e-7, 1.0, -1.0]]))
    assert report.passed and named(report.kinks) == [("input", (0, 0)), ("input", (0, 1))]


def test_ties_of_a_pool_are_kinks():
    x = distinct((1, 4, 4, 1))
    x[0, :2, :2, 0] = 5, 9  # both columns of a window: (5, 9), (5, 9)
    report = gradient_check(layers.MaxPool2D(2), x)
    assert report.passed and named(report.kinks) == [("input", (0, 0, 1, 0)), ("input", (0, 1, 1, 0))]
    assert report.worst["input"].error < 1e-8


def test_a_bug_beside_kinks_is_still_a_bug(monkeypatch):
    monkeypatch.setattr(activations, "relu_backward", lambda dy, y: 1.01 * dy * (y > 0))
    with mtc.definitions_only():
        report = gradient_check(layers.ReLU(), np.array([[0.0, 1.0, -2.0, 0.0, 3.0]]))
    assert not report.passed and [element.index for element in report.failures] in ([(0, 1)], [(0, 4)])


def test_a_slope_beyond_both_sides_of_a_kink_is_a_bug(monkeypatch):
    monkeypatch.setattr(activations, "relu_backward", lambda dy, y: dy * (y > 0) + 2 * dy * (y == 0))
    with mtc.definitions_only():
        report = gradient_check(layers.ReLU(), np.array([[0.0, 1.0, 2.0]]))
    assert named(report.failures) == [("input", (0, 0))]


def test_a_gradient_that_is_zero_by_nature_is_not_a_bug():
    """Batch norm subtracts the mean, so a bias before it has no effect and its gradient is only rounding error."""
    stack = [layers.Conv2D(4, (3, 2)), layers.BatchNorm(), layers.ReLU(), layers.Flatten(), layers.Dense(3, "softmax")]
    model = mtc.Sequential(stack, (6, 7, 2), seed=0)
    x = normal((4, 6, 7, 2))
    for labels in (None, [0, 1, 2, 1]):
        report = gradient_check(model, x, labels, training=True, most=20)
        assert report.passed and not report.kinks, report
        assert abs(report.worst["conv2d_1/bias"].backward) < 1e-15


def test_no_more_numbers_are_compared_than_requested():
    report = gradient_check(layers.Dense(7), normal((3, 11)), most=13)
    assert report.checked == 13 + 7 + 13
    again = gradient_check(layers.Dense(7), normal((3, 11)), most=13)
    assert str(again) == str(report)
