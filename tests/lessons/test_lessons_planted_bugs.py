"""On random shapes the check finds and names every planted bug, and correct layers pass it."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers, losses, optimizers
from minitorch_cnn.engine.convolution import im2col
from minitorch_cnn.engine.layers import max_pool2d
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.gradients.check import gradient_check
from minitorch_cnn.gradients.gallery import distinct, random_layer
from minitorch_cnn.lessons import planted_layers as planted
from minitorch_cnn.lessons import planted_trials
from minitorch_cnn.lessons.frozen_check import frozen_check
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS, PlantedBug
from minitorch_cnn.lessons.planted_survey import survey

TITLES = {bug.title: bug for bug in PLANTED_BUGS}


@pytest.mark.parametrize("shapes", [2, pytest.param(8, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.planted.__name__)
def test_a_bug_is_found_and_named_on_every_shape_and_the_correct_class_passes(bug, shapes):
    found = survey(bug, shapes, seed=1)
    assert (found.found, found.named, found.false_alarms) == (shapes, shapes, 0) and found.passed, found


def test_a_shape_that_hides_a_bug_is_counted_separately():
    padding = TITLES["The padding is not cut off in col2im"]
    hidden = survey(padding, 10).hidden
    assert 0 < hidden < 30
    unpadded = next(
        trial for seed in range(99) if not (trial := padding.draw(np.random.default_rng(seed))).shows(*classes(padding))
    )
    assert unpadded.check(padding.planted).passed and unpadded.check(padding.correct).passed


def classes(bug):
    return bug.planted, bug.correct


def test_a_class_without_a_bug_is_refused():
    none = PlantedBug("none", type("Same", (layers.ReLU,), {}), "None.", planted_trials.image(), "")
    with pytest.raises(ArgumentError, match="Same: expected a bug, got the results of ReLU"):
        none.found(np.random.default_rng(0))


def test_every_correct_layer_passes_on_200_random_shapes():
    kinds, shapes = set(), set()
    for seed in range(200):
        layer, x, training = random_layer(seed)
        report = gradient_check(layer, x, training=training, most=12)
        assert report.passed and not report.symptoms, (seed, str(report))
        kinds.add(type(layer).__name__)
        shapes.add(x.shape)
    assert kinds >= {"Conv2D", "MaxPool2D", "AveragePool2D", "Dense", "BatchNorm", "Dropout", "Flatten", "Activation"}
    assert len(shapes) > 150


def test_the_source_shows_the_wrong_line():
    for bug in PLANTED_BUGS:
        assert bug.source.startswith(f"class {bug.planted.__name__}(") and "#" in bug.source
        assert bug.symptom.endswith(".") and not issubclass(bug.correct, bug.planted)


# Bugs that are written differently get the same description.


def summed_col2im_without_crop(columns, input_shape, window, strides, padding):
    N, H, W, C = input_shape
    (KH, KW), ((top, bottom), (left, right)) = window, padding
    OH, OW = H + top + bottom - KH + 1, W + left + right - KW + 1
    dx = np.zeros((N, H + top + bottom, W + left + right, C))
    for n, i, j, p, q in np.ndindex(N, OH, OW, KH, KW):
        dx[n, i + p, j + q] += columns.reshape(N, OH, OW, KH, KW, C)[n, i, j, p, q]
    return dx[:, :H, :W]


def overwriting_max_pool(dy, winner, input_shape, window, strides, padding):
    dx = np.zeros(input_shape)
    for n, i, j, c in np.ndindex(dy.shape):
        row, column = i * strides[0] + winner[n, i, j, c] // window[1], j * strides[1] + winner[n, i, j, c] % window[1]
        dx[n, row, column, c] = dy[n, i, j, c]
    return dx


WRITTEN_DIFFERENTLY = {
    "col2im": (
        (im2col, "col2im", summed_col2im_without_crop),
        lambda: layers.Conv2D(2, (2, 3), padding=((1, 0), (2, 0)), algorithm="im2col"),
        {"input": "padding is not cut off"},
    ),
    "pool": ((max_pool2d, "max_pool_backward", overwriting_max_pool), lambda: layers.MaxPool2D(3, 1),
             {"input": "overlapping windows overwrite"}),
    "relu": ((activations, "relu_backward", lambda dy, y: np.where(y > 0, 0, dy)), layers.ReLU,
             {"input": "is inverted"}),
    "sign": ((layers.Tanh, "backward", lambda self, dy, need_dx=True: -dy * (1 - self.cache[0] ** 2)), layers.Tanh,
             {"input": "wrong sign"}),
    "nothing": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: np.zeros((2, 5, 6, 3))), layers.Flatten,
                {"input": "0 everywhere"}),
    "a wrong shape": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: dy), layers.Flatten,
                      {"input": "expected a gradient of shape (2, 5, 6, 3), got (2, 90)"}),
    "None": ((layers.Flatten, "backward", lambda self, dy, need_dx=True: None), layers.Flatten,
             {"input": "expected a gradient of shape (2, 5, 6, 3), got NoneType"}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN_DIFFERENTLY)
def test_a_bug_written_differently_is_named_too(monkeypatch, name):
    (place, attribute, faulty), make, words = WRITTEN_DIFFERENTLY[name]
    layer, x = make(), distinct((2, 5, 6, 3))
    monkeypatch.setattr(place, attribute, faulty)
    report = gradient_check(layer, x, curves=True)
    assert not report.passed and report.symptoms.keys() == words.keys()
    for array, fragment in words.items():
        assert fragment in report.symptoms[array]
        assert fragment in str(report)


IMAGES = distinct((3, 12, 11, 4))
LARGE = {
    "PaddingNotCutOff": (lambda: planted.PaddingNotCutOff(3, (3, 2), padding=((1, 0), (2, 1))), IMAGES),
    "Col2imOverwrites": (lambda: planted.Col2imOverwrites(3, (3, 2)), IMAGES),
    "KernelFlipped": (lambda: planted.KernelFlipped(5, (3, 2)), IMAGES),
    "ReLUForgotten": (lambda: planted.ReLUForgotten(48, 3, activation="relu"), IMAGES),
    "PoolOverwrites": (lambda: planted.PoolOverwrites(3, 2), IMAGES),
    "MaskFromTheWrongSide": (planted.MaskFromTheWrongSide, IMAGES),
    "ChannelsFirstFlatten": (planted.ChannelsFirstFlatten, IMAGES),
    "MeanOverTheBatch": (lambda: planted.MeanOverTheBatch(30), distinct((4, 40))),
    "KernelNotTransposed": (lambda: planted.KernelNotTransposed(90), distinct((10, 90))),
    "ConstantStatistics": (planted.ConstantStatistics, IMAGES),
    "AnotherMask": (lambda: planted.AnotherMask(0.5), IMAGES),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_wrong_gradient_is_named_from_a_sample(name):
    make, x = LARGE[name]
    bug = next(bug for bug in PLANTED_BUGS if bug.planted.__name__ == name)
    report = gradient_check(make(), x, training=True, most=5)
    assert not report.passed
    large = [report.symptoms[array] for array in report.symptoms if report.worst[array].error < np.inf]
    assert large and all(bug.words in words for words in large), report


def test_one_wrong_number_of_thousands_is_found(monkeypatch):
    spoiled = (1, 7, 3, 2)

    def backward(self, dy, need_dx=True):
        dx = dy.reshape(-1, *self.input_shape).copy()
        dx[spoiled] *= 1.01
        return dx

    monkeypatch.setattr(layers.Flatten, "backward", backward)
    report = gradient_check(layers.Flatten(), IMAGES, most=3)
    assert report.worst["input"].index == spoiled and not report.passed and report.checked == 4, report


def test_layers_below_the_bug_are_not_explained(monkeypatch):
    stack = [layers.Dense(6, "tanh"), layers.Dense(5, "tanh"), layers.Dense(3, "softmax")]
    model = mtc.Sequential(stack, (4,), seed=0)
    right = layers.Dense.backward_scores

    def backward_scores(self, dscores, kept, need_dx=True):
        dx, gradients = right(self, dscores, kept, need_dx)
        return (2 * dx if self.name == "dense_3" else dx), gradients

    monkeypatch.setattr(layers.Dense, "backward_scores", backward_scores)
    report = gradient_check(model, distinct((3, 4)), [0, 1, 2])
    assert {element.name for element in report.failures} == {
        f"dense_{n}/{name}" for n in (1, 2) for name in ("kernel", "bias")
    }
    assert set(report.symptoms) == {"dense_2/kernel", "dense_2/bias"} and "times 2" in report.symptoms["dense_2/bias"]
    assert report.where == "look at dense_2, then at the dx of dense_3"


def test_the_report_names_the_layers_that_can_hold_the_bug(monkeypatch):
    stack = [layers.Conv2D(3, 2), layers.ReLU(), layers.MaxPool2D(2, 1), layers.Flatten(), layers.Dense(2, "softmax")]
    model = mtc.Sequential(stack, (4, 5, 2), seed=0)
    assert not gradient_check(model, most=5).where
    monkeypatch.setattr(layers.MaxPool2D, "backward", lambda self, dy, need_dx=True: np.zeros((2, 3, 4, 3)))
    report = gradient_check(model, most=5)
    assert report.where == "look at conv2d_1, then at the dx of dense_1, flatten_1, max_pool2d_1, relu_1"
    assert report.where in str(report)
    monkeypatch.undo()
    no_gradients = {"kernel": np.zeros((2, 2, 2, 3)), "bias": np.zeros(3)}
    monkeypatch.setattr(
        layers.Conv2D, "backward_scores", lambda self, d, kept, need_dx=True: (np.zeros((2, 4, 5, 2)), no_gradients)
    )
    assert "look at conv2d_1" in gradient_check(model, most=5).where


def test_frozen_layers_that_keep_their_weights_pass():
    model = mtc.Sequential([layers.Dense(4, "relu"), layers.Dense(3, "softmax")], (5,), seed=0).freeze(
        through="dense_1"
    )
    x = distinct((4, 5))
    optimizer = optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
    report = frozen_check(model, x, [0, 1, 2, 0], optimizer, losses.CrossEntropy())
    assert report.passed and report and not report.gradients and not report.still
    assert "keep their weights" in str(report)
    with pytest.raises(ArgumentError, match="expected a model with a frozen layer"):
        frozen_check(model.unfreeze(), x, [0, 1, 2, 0], optimizer)


def test_a_layer_that_learns_nothing_is_noted():
    model = mtc.Sequential([layers.Dense(4), layers.Dense(3, "softmax")], (5,), seed=0).freeze(through="dense_1")
    report = frozen_check(model, distinct((4, 5)), [0, 1, 2, 0], optimizers.SGD(0.0))
    assert report.still == ["dense_2/kernel", "dense_2/bias"]
