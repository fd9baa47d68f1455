"""Curves: ticks computed by hand, and drawings whose text and lines show the given numbers."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minitorch_cnn.report import Curve, draw_curves, draw_history, draw_schedule
from minitorch_cnn.report.axes import epoch_ticks, value_ticks
from minitorch_cnn.report.curves import best_epoch, loss_text, percent_text, plain_text

NAN = math.nan
SVG = "{http://www.w3.org/2000/svg}"


def strokes(drawing):
    """Returns the `d` of every curve, but not of the grid lines, which are one pixel wide."""
    tree = ElementTree.fromstring(drawing)
    return [node.attrib["d"] for node in tree.iter(f"{SVG}path") if node.attrib.get("stroke-width") == "2.25"]


def words(drawing):
    return [node.text for node in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.1, 2.3, [0, 0.5, 1, 1.5, 2, 2.5]),
        (0.62, 0.79, [0.6, 0.65, 0.7, 0.75, 0.8]),
        (0.5, 0.5, [0.44, 0.46, 0.48, 0.5, 0.52, 0.54, 0.56]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (300, 900, [0, 200, 400, 600, 800, 1000]),
    ],
)
def test_value_ticks(low, high, ticks):
    assert value_ticks(low, high) == pytest.approx(ticks)


@example(0.0, 5e-324)
@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_ticks_always_enclose_the_data(a, b):
    low, high = sorted((a, b))
    ticks = value_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert ticks[0] <= low + 1e-8 * (high - low)
    assert ticks[-1] >= high - 1e-8 * (high - low)


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (12, [1, 4, 6, 8, 10, 12]), (20, [1, 5, 10, 15, 20])],
)
def test_epoch_ticks(epochs, ticks):
    assert epoch_ticks(epochs) == ticks


@pytest.mark.parametrize("epochs", range(1, 200, 7))
def test_epoch_ticks_are_few_and_end_at_the_last_epoch(epochs):
    ticks = epoch_ticks(epochs)
    assert ticks[0] == 1
    assert ticks[-1] == epochs
    assert len(ticks) <= 9


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        (loss_text, 0.68129, "0.6813"),
        (loss_text, 0.00012345, "0.0001234"),
        (loss_text, NAN, "NaN"),
        (percent_text, 0.78125, "78.12%"),
        (percent_text, NAN, "NaN"),
        (plain_text, 0.0005, "0.0005"),
        (plain_text, math.inf, "inf"),
    ],
)
def test_values_are_formatted(text, value, written):
    assert text(value) == written


def test_the_best_epoch_is_the_first_with_the_best_finite_value():
    assert best_epoch([3, 1, NAN, 1, 2], min) == 2
    assert best_epoch([3, 1, math.inf], max) == 1
    assert best_epoch([NAN], min) is None
    assert best_epoch([1.0], None) is None


def test_final_and_best_values_are_written_out():
    drawing = draw_curves("Loss", [Curve("validation", [0.9, 0.5, 0.7])], best=min, text=loss_text)
    assert {"Loss", "validation", "0.7000", "0.5000 (epoch 2)"} <= set(words(drawing))
    assert "best 0.5000 at epoch 2" in ElementTree.fromstring(drawing).attrib["aria-label"]


def test_values_that_are_not_finite_leave_a_gap_and_a_cross():
    drawing = draw_curves("Loss", [Curve("training", [4.0, 3.0, NAN, 1.0, math.inf])], best=min)
    assert len(strokes(drawing)) == 2
    hints = [node.text for node in ElementTree.fromstring(drawing).iter(f"{SVG}title")]
    assert "training, epoch 3: NaN" in hints
    assert "nan" not in "".join(strokes(drawing))


def test_larger_values_are_drawn_higher():
    (stroke,) = strokes(draw_curves("x", [Curve("x", [0.0, 10.0])]))
    (x0, y0), (x1, y1) = [map(float, point.split()) for point in stroke[1:].split("L")]
    assert x0 < x1
    assert y0 > y1


@pytest.mark.parametrize("values", [[0.5], [NAN], [NAN, NAN], [0.0], [1e30, -1e30], [5, 5, 5]])
def test_any_history_can_be_drawn(values):
    drawing = draw_curves("Loss", [Curve("training", values)], best=min)
    ElementTree.fromstring(drawing)
    assert "nan" not in drawing.replace("NaN", "")
    assert ("No epoch has a finite value." in words(drawing)) == all(math.isnan(value) for value in values)


def test_one_epoch_is_a_dot():
    drawing = draw_curves("Loss", [Curve("training", [2.0])], best=min)
    (stroke,) = strokes(drawing)
    start, end = stroke[1:].split("L")
    assert start == end
    assert "2 (epoch 1)" in words(drawing)


def test_a_history_gives_a_chart_for_each_quantity_it_holds():
    history = {"loss": [1.0], "val_loss": [], "accuracy": [0.5], "learning_rate": [0.1]}
    assert len(draw_history(history)) == 2
    assert "validation" not in draw_history(history)[0]
    assert len(draw_schedule(history)) == 1
    assert draw_history({}) == draw_schedule({}) == []


def test_long_histories_stay_small():
    assert len(draw_curves("Loss", [Curve("training", [1 / (i + 1) for i in range(1000)])])) < 30_000
