"""Calibration and the images that changed sides, beside counts made by hand and SciPy's test of a coin."""

import math

import numpy as np
import pytest

from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report.calibration import draw_reliability, expected_calibration_error, reliability
from minitorch_cnn.report.changed import changed, mcnemar, sentence


def probabilities(of_the_second):
    p = np.asarray(of_the_second, float)
    return np.stack([1 - p, p], axis=1)


def test_the_bins_hold_what_was_said_and_what_was_right():
    p = probabilities([0.95, 0.93, 0.91, 0.2, 0.45, 0.6])  # says 1, 1, 1, 0, 0, 1 with .95 .93 .91 .8 .55 .6
    bins = reliability(p, np.array([1, 1, 0, 0, 1, 1]), bins=5)
    assert [each.low for each in bins] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9]) and bins[-1].high == 1
    assert [each.photos for each in bins] == [2, 0, 1, 0, 3]
    assert bins[0].said == pytest.approx(0.575) and bins[0].right == 0.5
    assert math.isnan(bins[1].right)
    assert bins[4].said == pytest.approx(0.93) and bins[4].right == pytest.approx(2 / 3)
    by_hand = (2 * abs(0.5 - 0.575) + 1 * abs(1 - 0.8) + 3 * abs(2 / 3 - 0.93)) / 6
    assert expected_calibration_error(bins) == pytest.approx(by_hand)


def test_a_network_that_is_right_as_often_as_it_says_has_no_calibration_error():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([0.4, 1.0, 0.7], 40_000)
    labels = (scores.cumsum(axis=1) > rng.random((len(scores), 1))).argmax(axis=1)
    assert expected_calibration_error(reliability(scores, labels)) < 0.01
    assert expected_calibration_error(reliability(scores, (labels + 1) % 3)) > 0.3


def test_the_diagram_has_a_bar_for_each_bin_with_photos_and_says_its_numbers():
    bins = reliability(probabilities([0.99, 0.98, 0.7]), np.array([1, 1, 0]))
    drawing = draw_reliability(bins, "1 <base>")
    assert drawing.count("<rect") == 2 and "1 &lt;base&gt;" in drawing
    assert "98% said, 100% right, 2" in drawing and "70% said, 0% right, 1" in drawing
    assert math.isnan(expected_calibration_error(reliability(np.empty((0, 2)), np.empty(0, int))))


def test_photos_that_changed_sides_are_those_that_one_network_alone_gets_right():
    labels = np.array([0, 1, 1, 0, 1, 0])
    before = probabilities([0.1, 0.2, 0.9, 0.8, 0.3, 0.4])  # right: 0, 2, 5
    after = probabilities([0.2, 0.7, 0.1, 0.3, 0.9, 0.4])  # right: 0, 1, 3, 4, 5
    found = changed(labels, before, after)
    assert found.put_right == [1, 3, 4] and found.made_wrong == [2]
    assert "3 put right, 1 made wrong (McNemar's p 0.62)" in sentence(("one", "two"), found)


@pytest.mark.parametrize("right, wrong", [(0, 0), (1, 0), (3, 9), (8, 13), (20, 2), (700, 640)])
def test_mcnemars_p_is_that_of_a_fair_coin(right, wrong):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(right, right + wrong, 0.5).pvalue if right + wrong else 1.0
    assert mcnemar(right, wrong) == pytest.approx(expected, rel=1e-9)


def test_what_does_not_fit_is_refused_in_one_line():
    with pytest.raises(ShapeError, match=r"reliability: expected .* got \(3, 1\) and \(3,\)"):
        reliability(np.ones((3, 1)), np.zeros(3, int))
    with pytest.raises(ShapeError, match=r"changed: expected .* got \(3, 2\) and \(2, 2\)"):
        changed(np.zeros(3, int), np.ones((3, 2)), np.ones((2, 2)))
