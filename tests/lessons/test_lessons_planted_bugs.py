"""Planted bugs are found and named, correct layers are not accused: on shapes drawn at random."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import activations, gradient_check, layers, losses, optimizers
from minitorch_cnn.convolution import im2col
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.gradient_gallery import distinct, random_layer
from minitorch_cnn.layers import max_pool2d
from minitorch_cnn.lessons.frozen_check import frozen_check
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS

SHAPES = 12

# What the check has to say of each, whatever the shape.
NAMED = {
    "The padding is not cut off in col2im": "padding is not cut off",
    "col2im writes = where it should add": "= instead of +=",
    "Overlapping max pooling writes = where it should add": "= instead of +=",
    "The loss's gradient forgot 1/N": "needs 1/N",
    "The kernel is flipped on the way back": "turned by 180 degrees",
    "Flatten goes back in another order (NCHW for NHWC)": "NCHW",
    "The ReLU's mask is taken from the wrong side": "wrong side",
    "The ReLU is forgotten on the way back": "derivative is forgotten",
    "The bias learns from one image of the batch": "first image's alone",
    "Divided by the batch size twice": "divided by N once too often",
    "The dense kernel is not transposed": "kernel.T",
    "The sigmoid's slope is taken at x, not at y": "x (1 - x)",
    "Softmax by its diagonal": "diagonal alone",
    "Batch normalisation takes its statistics for constants": "taken for constants",
    "Dropout draws another mask on the way back": "mask is wrong",
    "The gradient of a frozen layer is applied": "is frozen and moved",
    "Weight decay moves a frozen layer": "is frozen and moved",
}


def test_every_bug_of_the_gallery_has_its_words():
    assert [bug.title for bug in PLANTED_BUGS] == list(NAMED)


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.planted.__name__)
def test_a_bug_is_found_and_named_on_every_shape(bug):
    for seed in range(SHAPES):
        report = bug.found(np.random.default_rng(seed))
        assert not report.passed, seed
        assert NAMED[bug.title] in str(report), (seed, str(report))


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.planted.__name__)
def test_the_class_without_the_bug_is_cleared(bug):
    for seed in range(SHAPES):
        report = bug.cleared(np.random.default_rng(seed))
        assert report.passed, (seed, str(report))


def test_no_correct_layer_is_accused_on_200_random_shapes():
    kinds, shapes = set(), set()
    for seed in range(200):
        layer, x, training = random_layer(seed)
        report = gradient_check(layer, x, training=training, most=12)
        assert report.passed and not report.symptoms, (seed, str(report))
        kinds.add(type(layer).__name__)
        shapes.add(x.shape)
    assert kinds >= {"Conv2D", "MaxPool2D", "AveragePool2D", "Dense", "BatchNorm", "Dropout", "Flatten", "ReLU"}
    assert len(shapes) > 150


def test_the_source_shows_the_wrong_line():
    for bug in PLANTED_BUGS:
        assert bug.source.startswith(f"class {bug.planted.__name__}(") and "#" in bug.source
        assert bug.symptom.endswith(".") and not issubclass(bug.correct, bug.planted)


# The same words for bugs that were written elsewhere and in another way.


def summed_col2im_without_crop(columns, input_shape, window, strides, padding):
    N, H, W, C = input_shape
    (KH, KW), ((top, bottom), (left, right)) = window, padding
    OH, OW = H + top + bottom - KH + 1, W + left + right - KW + 1
    dx = np.zeros((N, H + top + bottom, W + left + right, C))
    for n, i, j, p, q in np.ndindex(N, OH, OW, KH, KW):
        dx[n, i + p, j + q] += columns.reshape(N, OH, OW, KH, KW, C)[n, i, j, p, q]
    return dx[:, :H, :W]


def pool_that_forgets(dy, winner, input_shape, window, strides, padding):
    dx = np.zeros(input_shape)
    for n, i, j, c in np.ndindex(dy.shape):
        row, column = i * strides[0] + winner[n, i, j, c] // window[1], j * strides[1] + winner[n, i, j, c] % window[1]
        dx[n, row, column, c] = dy[n, i, j, c]
    return dx


ELSEWHERE = {
    "col2im": (
        (im2col, "col2im", summed_col2im_without_crop),
        lambda: layers.Conv2D(2, (2, 3), padding=((1, 0), (2, 0)), algorithm="im2col"),
        {"input": "padding is not cut off"},
    ),
    "pool": ((max_pool2d, "max_pool_backward", pool_that_forgets), lambda: layers.MaxPool2D(3, 1),
             {"input": "overlapping windows overwrite"}),
    "relu": ((activations, "relu_backward", lambda dy, y: np.where(y > 0, 0, dy)), layers.ReLU,
             {"input": "wrong side"}),
    "sign": ((layers.Tanh, "backward", lambda self, dy, need_dx=True: -dy * (1 - self.cache[0] ** 2)), layers.Tanh,
             {"input": "wrong sign"}),
    "nothing": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: np.zeros((2, 5, 6, 3))), layers.Flatten,
                {"input": "0 everywhere"}),
    "a wrong shape": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: dy), layers.Flatten,
                      {"input": "expected a gradient of shape (2, 5, 6, 3), got (2, 90)"}),
    "None": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: None), layers.Flatten,
             {"input": "expected a gradient of shape (2, 5, 6, 3), got NoneType"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_bug_written_otherwise_is_named_too(monkeypatch, name):
    (place, attribute, faulty), make, words = ELSEWHERE[name]
    layer, x = make(), distinct((2, 5, 6, 3))
    monkeypatch.setattr(place, attribute, faulty)
    report = gradient_check(layer, x, curves=True)
    assert not report.passed and report.symptoms.keys() == words.keys()
    for array, fragment in words.items():
        assert fragment in report.symptoms[array]
        assert fragment in str(report)


def test_where_in_a_model_the_bug_can_be(monkeypatch):
    stack = [layers.Conv2D(3, 2), layers.ReLU(), layers.MaxPool2D(2, 1), layers.Flatten(), layers.Dense(2, "softmax")]
    model = mtc.Sequential(stack, (4, 5, 2), seed=0)
    assert not gradient_check(model, most=5).where
    monkeypatch.setattr(layers.MaxPool2D, "backward", lambda self, dy, need_dx=True: np.zeros((2, 3, 4, 3)))
    report = gradient_check(model, most=5)
    assert report.where == "look at conv2d_1, then at the dx of dense_1, flatten_1, max_pool2d_1, relu_1"
    assert report.where in str(report)
    monkeypatch.undo()
    monkeypatch.setattr(layers.Conv2D, "_backward", lambda self, *a: np.zeros((2, 4, 5, 2)), raising=False)
    monkeypatch.setattr(layers.Conv2D, "backward_scores", lambda self, d, need_dx=True: np.zeros((2, 4, 5, 2)))
    assert "look at conv2d_1" in gradient_check(model, most=5).where


def test_frozen_layers_that_stay_are_not_accused():
    model = mtc.Sequential([layers.Dense(4, "relu"), layers.Dense(3, "softmax")], (5,), seed=0).freeze(
        through="dense_1"
    )
    x = distinct((4, 5))
    optimizer = optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
    report = frozen_check(model, x, [0, 1, 2, 0], optimizer, losses.CrossEntropy())
    assert report.passed and report and not report.gradients and not report.still
    assert "stay as they were" in str(report)
    with pytest.raises(ArgumentError, match="expected a model with a frozen layer"):
        frozen_check(model.unfreeze(), x, [0, 1, 2, 0], optimizer)


def test_a_layer_that_learns_nothing_is_noted():
    model = mtc.Sequential([layers.Dense(4), layers.Dense(3, "softmax")], (5,), seed=0).freeze(through="dense_1")
    report = frozen_check(model, distinct((4, 5)), [0, 1, 2, 0], optimizers.SGD(0.0))
    assert report.still == ["dense_2/kernel", "dense_2/bias"]
