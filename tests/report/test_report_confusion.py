"""The confusion matrix: values computed by hand, a table for few classes, a map for many."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from minitorch_cnn.report import draw_bars, draw_confusion, draw_mistakes
from minitorch_cnn.report.confusion import class_accuracy, most_confused

CONFUSION = np.array([[8, 2, 0], [1, 3, 1], [0, 0, 0]])
NAMES = ["cat", "dog", "eel"]


def test_accuracy_per_class():
    accuracy = class_accuracy(CONFUSION)
    assert accuracy[:2] == pytest.approx([0.8, 0.6])
    assert math.isnan(accuracy[2])


def test_the_most_common_mistakes_come_first():
    assert most_confused(CONFUSION, NAMES) == [("cat", "dog", 2, 0.2), ("dog", "cat", 1, 0.2), ("dog", "eel", 1, 0.2)]
    assert most_confused(CONFUSION, NAMES, count=1) == [("cat", "dog", 2, 0.2)]
    assert most_confused(np.eye(2, dtype=int), ["a", "b"]) == []
    assert draw_mistakes(np.eye(2, dtype=int), ["a", "b"]) == ""


@pytest.mark.parametrize("classes", [2, 10, 20])
def test_few_classes_are_a_table_with_every_count(classes):
    confusion = np.arange(classes * classes).reshape(classes, classes)
    tree = ElementTree.fromstring(draw_confusion(confusion, [f"class {i}" for i in range(classes)]))
    cells = [int(cell.text) for cell in tree.iter("td")]
    assert cells == confusion.ravel().tolist()
    assert [row.find("th").text for row in tree.find("tbody")] == [f"class {i}" for i in range(classes)]


@pytest.mark.parametrize("classes", [21, 40, 41, 100])
def test_many_classes_are_a_map_without_numbers(classes):
    random = np.random.default_rng(0)
    confusion = random.poisson(0.4, (classes, classes)) + 50 * np.eye(classes, dtype=int)
    drawing = draw_confusion(confusion, [f"class {i}" for i in range(classes)])
    tree = ElementTree.fromstring(drawing)
    squares = sum(node.attrib["d"].count("M") for node in tree.iter() if "fill-opacity" in node.attrib)
    assert squares == np.count_nonzero(confusion)
    assert f"{np.trace(confusion)} of {confusion.sum()} images" in tree.attrib["aria-label"]
    assert len(drawing) < 200_000


def test_a_map_of_zeros_can_be_drawn():
    ElementTree.fromstring(draw_confusion(np.zeros((30, 30), dtype=int), [str(i) for i in range(30)]))


def test_bars_are_as_long_as_their_shares():
    tree = ElementTree.fromstring(
        draw_bars([("a", 1.0, "all"), ("b", 0.5, "half"), ("c", math.nan, "none")], description="x")
    )
    bars = [node for node in tree.iter("{http://www.w3.org/2000/svg}rect") if "fill-opacity" not in node.attrib]
    full, half = (float(bar.attrib["width"]) for bar in bars)
    assert half == pytest.approx(full / 2)
    assert tree.attrib["aria-label"] == "x: a all; b half; c none."


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"quoted"', "]]>"])
def test_names_are_kept_exactly(name):
    tree = ElementTree.fromstring(draw_confusion(np.array([[3, 1], [0, 2]]), [name, "b"]))
    assert name in [node.text for node in tree.iter("th")]
    tree = ElementTree.fromstring(draw_mistakes(np.array([[3, 1], [0, 2]]), [name, "b"]))
    assert name in [node.text for node in tree.iter("th")]
