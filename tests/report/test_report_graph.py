"""The drawing of a network with branches: lanes that join what reads what, and the page and summary that show it."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from minitorch_cnn.report import LayerRow, Run
from minitorch_cnn.report.graph_drawing import draw_graph, has_branches, lane_of_each
from minitorch_cnn.report.run_page import run_page
from minitorch_cnn.report.training_page import layer_rows

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from graph_models import residual, siamese, two_answers

GRAPHS = {  # what each layer reads: (number of inputs, the lane of each layer)
    "a chain": ([(-1,), (0,), (1,)], 1, [0, 0, 0]),
    "a residual block": ([(-1,), (0,), (1,), (0, 2), (3,)], 1, [0, 1, 1, 0, 0]),
    "a block within a block": ([(-1,), (0,), (1,), (2,), (1, 3), (0, 4)], 1, [0, 1, 2, 2, 1, 0]),
    "three branches side by side": ([(-1,), (0,), (0,), (0,), (1, 2, 3)], 1, [0, 1, 2, 0, 0]),
    "two inputs": ([(-1,), (-2,), (0, 1)], 2, [0, 1, 0]),
    "the same value twice": ([(-1,), (0, 0)], 1, [0, 0]),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_lanes(name):
    reads, inputs, lanes = GRAPHS[name]
    found = lane_of_each(reads, inputs)
    assert [found[place] for place in range(len(reads))] == lanes
    assert [found[-1 - place] for place in range(inputs)] == list(range(inputs))


@pytest.mark.parametrize("width", [350, 880])
@pytest.mark.parametrize("make", [residual, siamese, two_answers])
def test_every_layer_has_a_line_and_every_reading_a_curve(make, width):
    model = make()
    rows = layer_rows(model)
    tree = ElementTree.fromstring(draw_graph(rows, [(11, 9, 3)] * model.inputs, width=width))
    tags = [element.tag.rpartition("}")[2] for element in tree.iter()]
    assert tags.count("circle") == model.inputs + len(rows)
    assert tags.count("path") == sum(len(set(row.reads)) for row in rows)
    words = " ".join(element.text or "" for element in tree.iter() if element.tag.endswith("text"))
    assert all(row.name[:5] in words for row in rows) and "11×9×3" in words
    xs = [float(element.get("x")) for element in tree.iter() if element.tag.endswith("text")]
    assert min(xs) > 0 and max(xs) <= width


def test_frozen_layers_are_hollow():
    model = residual().freeze(layers=["conv2d_2"])
    drawn, plain = (draw_graph(layer_rows(each)) for each in (model, residual()))
    assert drawn.count('fill="var(--paper') - plain.count('fill="var(--paper') == 1


def test_names_are_escaped_and_shortened():
    rows = [LayerRow("<b>&" * 40, "Conv2D", (4, 4, 2), reads=(-1,)), LayerRow("x", "Add", (4, 4, 2), reads=(0, -1))]
    drawing = draw_graph(rows, [(4, 4, 3)], width=350)
    ElementTree.fromstring(drawing)
    assert "<b>" not in drawing and "…" in drawing


def test_a_page_draws_the_graph_and_a_chain_as_before():
    model = residual()
    page = run_page(Run("branches", layers=layer_rows(model), input_shape=model.input_shape))
    assert page.count("The network as a graph: 11 layers") == 2
    chain = [LayerRow("a", "Conv2D", (4, 4, 2), reads=(-1,)), LayerRow("b", "Dense", (3,), reads=(0,))]
    assert not has_branches(chain) and has_branches(layer_rows(model))
    assert "as a graph" not in run_page(Run("a chain", layers=chain, input_shape=(4, 4, 3)))


def test_the_summary_says_what_is_read(capsys):
    residual().summary()
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"activations +columns +reads$", lines[0])
    assert lines[5].endswith("conv2d_1, conv2d_2") and lines[9].endswith("max_pool2d_1") and "reads" not in lines[3]
    siamese().summary()
    said = capsys.readouterr().out
    assert "words" in said and "Dense again" in said and "input_2" in said
    assert "input 11x9x3 and 11x9x3, 365 parameters" in said
