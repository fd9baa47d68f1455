"""The error as a function of the step: a V for a right gradient, a floor for a bug, a cliff or a kink for a ReLU."""

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers
from minitorch_cnn.gradients.check import gradient_check
from minitorch_cnn.gradients.differences import close, difference
from minitorch_cnn.gradients.gallery import distinct
from minitorch_cnn.gradients.symptoms import sample


def curve_of(layer, x, name="input", **options):
    report = gradient_check(layer, x, curves=True, most=10, **options)
    return report, report.curves[name]


@pytest.mark.parametrize("layer", [layers.Tanh(), layers.Sigmoid(), layers.Softmax()])
def test_a_curved_function_shows_a_v(layer):
    _, curve = curve_of(layer, distinct((3, 4)))
    step, error = curve.best()
    assert 1e-7 < step < 1e-3 and error < 1e-9
    at = dict(zip(curve.steps, curve.errors["float64"]))
    assert 30 < at[1e-1] / at[1e-2] < 300 and 30 < at[1e-2] / at[1e-3] < 300  # the error grows with h^2
    assert at[1e-12] > 1e3 * error  # and with 1/h for small steps
    assert curve.best("float32")[1] > 1e3 * error  # in float32 the valley is shallow
    assert curve.verdict.startswith("a V")


def test_a_linear_function_has_no_right_arm():
    _, curve = curve_of(layers.Dense(3), distinct((2, 4)))
    assert "no right arm" in curve.verdict and curve.best()[1] < 1e-13


def test_a_relu_shows_a_cliff_where_the_step_reaches_its_zero():
    _, curve = curve_of(layers.ReLU(), np.array([[0.05, 0.05, 0.05]]))
    at = dict(zip(curve.steps, curve.errors["float64"]))
    assert at[1e-1] > 0.1 and at[1e-2] < 1e-12
    assert "a cliff: a step of 1e-01" in curve.verdict


def test_a_bug_shows_a_floor(monkeypatch):
    monkeypatch.setattr(activations.Tanh, "backward", lambda self, dy, y: 1.001 * dy * (1 - y * y))
    report, curve = curve_of(layers.Tanh(), distinct((3, 4)))
    assert not report.passed and "a floor" in curve.verdict
    assert 1e-4 < curve.best()[1] < 2e-3
    assert "constant factor" in report.symptoms["input"] and "1.001" in report.symptoms["input"]


def test_a_kink_is_called_a_kink():
    report, curve = curve_of(layers.ReLU(), np.array([[0.0, 1.0, -2.0]]), "kink")
    assert report.passed and curve.kink and curve.verdict.startswith("a kink")
    assert min(curve.errors["float64"]) > 0.1
    assert str(report).count("kink") == 3


def test_the_table_is_in_the_text():
    report, curve = curve_of(layers.Tanh(), distinct((3, 4)))
    said = str(report)
    for line in curve.lines():
        assert line in said
    assert "float32" in said and "float64" in said and "1e-06" in said
    assert "float32" not in str(gradient_check(layers.Tanh(), distinct((3, 4))))


def test_a_model_in_training_has_curves_for_every_array():
    stack = [layers.Conv2D(2, 2), layers.BatchNorm(), layers.Dropout(0.3), layers.Flatten(), layers.Dense(3, "softmax")]
    model = mtc.Sequential(stack, (4, 3, 2), seed=1)
    before = {key: np.array(value) for key, value in model.state().items()}
    report = gradient_check(model, distinct((3, 4, 3, 2)), [0, 2, 1], training=True, most=5, curves=True)
    assert report.passed and set(report.curves) - {"kink"} == set(report.worst)
    for curve in report.curves.values():
        assert "floor" not in curve.verdict
    assert all(np.array_equal(before[key], value) for key, value in model.state().items())


# The difference of two arrays in words.

WANTED = distinct((3, 4, 5, 2)) + 0.01
MASK = np.random.default_rng(0).random(WANTED.shape) < 0.5
MOVED = np.zeros_like(WANTED)
MOVED[:, 1:, :-1] = WANTED[:, :-1, 1:]
EDGE = WANTED.copy()
EDGE[:, 0] = 0.3
ONE_IMAGE = WANTED.copy()
ONE_IMAGE[1:] *= np.linspace(0.5, 2, 2)[:, None, None, None]
WORDS = [
    (np.where(MASK, np.nan, WANTED), WANTED, "not finite"),
    (0 * WANTED, WANTED, "0 everywhere"),
    (-WANTED, WANTED, "wrong sign"),
    (3 * WANTED, WANTED, "3 times too large"),
    (WANTED / 3, WANTED, "3 times too small"),
    (0.7 * WANTED, WANTED, "times 0.7"),
    (WANTED[::-1, ::-1], WANTED, "rotated by 180 degrees"),
    (WANTED[:, ::-1, ::-1], WANTED, "rotated by 180 degrees"),
    (WANTED[:, :, :2, :2].transpose(0, 1, 3, 2), WANTED[:, :, :2, :2], "axes 2 and 3 exchanged"),
    (WANTED.reshape(3, 2, 4, 5).transpose(0, 2, 3, 1), WANTED, "in the wrong places"),
    (MOVED, WANTED, "shifted 1 down 1 left"),
    (WANTED, np.where(MASK, WANTED, 0), "should get none"),
    (np.where(MASK, WANTED, 0), WANTED, "get none but should"),
    (np.where(MASK, WANTED, 0), np.where(MASK, 0, WANTED), "is inverted"),
    (ONE_IMAGE, WANTED, "right for image 0"),
    (EDGE, WANTED, "within 1 of the border"),
    (WANTED + 0.2 * MASK * np.random.default_rng(1).random(WANTED.shape), WANTED, "numbers are wrong"),
]


@pytest.mark.parametrize("got, wanted, fragment", WORDS, ids=[fragment for *_, fragment in WORDS])
def test_a_difference_is_described(got, wanted, fragment):
    assert not close(got, wanted)
    assert fragment in difference(got, wanted, batch=len(wanted))


def test_close_wants_the_same_shape_and_finite_numbers():
    assert close([1.0, 2.0], [1.0, 2.0 + 1e-6])
    assert not close([1.0, 2.0], [[1.0, 2.0]]) and not close([np.nan], [np.nan])


# The same for a large array whose right numbers are known only for a sample of its elements.

BIG = distinct((3, 14, 14, 4)) + 0.01
BIG_MASK = np.random.default_rng(0).random(BIG.shape) < 0.5
BIG_MOVED = np.zeros_like(BIG)
BIG_MOVED[:, 1:, :-2] = BIG[:, :-1, 2:]
BIG_EDGE = BIG.copy()
BIG_EDGE[:, 0], BIG_EDGE[:, :, -1] = 0.3, -0.2
BIG_IMAGE = BIG.copy()
BIG_IMAGE[1:] *= np.linspace(0.5, 2, 2)[:, None, None, None]
SAMPLED = [
    (np.where(BIG_MASK, np.nan, BIG), "not finite"),
    (-BIG, "wrong sign"),
    (3 * BIG, "3 times too large"),
    (0.7 * BIG, "times 0.7"),
    (BIG[:, ::-1, ::-1], "rotated by 180 degrees"),
    (BIG.transpose(0, 2, 1, 3), "axes 1 and 2 exchanged"),
    (BIG.reshape(3, 4, 14, 14).transpose(0, 2, 3, 1), "in the wrong places"),
    (BIG_MOVED, "shifted 1 down 2 left"),
    (np.where(BIG_MASK, BIG, 0), "get none but should"),
    (BIG_IMAGE, "right for image 0"),
    (BIG_EDGE, "within 1 of the border"),
    (BIG + 0.2 * BIG_MASK * np.random.default_rng(1).random(BIG.shape), "numbers checked are wrong"),
]


@pytest.mark.parametrize("got, fragment", SAMPLED, ids=[fragment for _, fragment in SAMPLED])
@pytest.mark.parametrize("seed", range(3))
def test_a_difference_is_described_from_a_sample(got, fragment, seed):
    known = sample(BIG.shape, 400, np.random.default_rng(seed))
    assert 200 < known.sum() <= 400
    wanted = np.where(known, BIG, 0)
    assert not close(got, wanted, known=known) and close(BIG, wanted, known=known)
    assert fragment in difference(got, wanted, len(BIG), known)
