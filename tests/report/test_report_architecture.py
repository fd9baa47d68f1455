"""The drawing of a network: every layer has a name and a shape, frozen layers are hatched, nothing is cut off."""

import re
from xml.etree import ElementTree

import pytest

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.report import LayerRow, draw_architecture
from minitorch_cnn.report.architecture import Cell, break_rows, drawn_states, shape_text
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.volumes import Solid, extent, hue_of

SVG = "{http://www.w3.org/2000/svg}"


def vgg16(state="trained"):
    layers, size = [], 224
    for block, (convolutions, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for i in range(1, convolutions + 1):
            layers.append(LayerRow(f"block{block}_conv{i}", "Conv2D", (size, size, channels), 9, state))
        size //= 2
        layers.append(LayerRow(f"block{block}_pool", "MaxPool2D", (size, size, channels)))
    return [*layers, LayerRow("flatten", "Flatten", (25088,)), LayerRow("predictions", "Dense", (1000,), 9)]


SMALL = [
    LayerRow("conv", "Conv2D", (6, 6, 4), 40),
    LayerRow("flatten", "Flatten", (144,)),
    LayerRow("out", "Dense", (1,), 145),
]


def words(drawing):
    return [node.text for node in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


@pytest.mark.parametrize("width", [350, 880, 1080])
@pytest.mark.parametrize("layers", [SMALL, vgg16(), vgg16("frozen")])
def test_every_layer_is_drawn_with_name_kind_and_shape(layers, width):
    drawing = draw_architecture(layers, (224, 224, 3), width=width)
    text = words(drawing)
    for layer in layers:
        assert layer.name in text
        assert layer.kind in text
        assert shape_text(layer.output_shape) in text
    assert "224×224×3" in text


@pytest.mark.parametrize("width", [350, 880])
@pytest.mark.parametrize("layers", [SMALL, vgg16()])
def test_nothing_is_outside_the_picture(layers, width):
    tree = ElementTree.fromstring(draw_architecture(layers, (224, 224, 3), width=width))
    right, bottom = map(float, tree.attrib["viewBox"].split()[2:])
    assert right == width
    for node in tree.iter(f"{SVG}text"):
        # A letter is about 0.6 of the font size wide, and the text is centred.
        half = 0.3 * float(node.attrib["font-size"]) * len(node.text)
        assert half <= float(node.attrib["x"]) + 1 <= right - half + 2
        assert 0 < float(node.attrib["y"]) < bottom


def test_pools_shrink_and_channels_widen():
    sizes = [extent(shape, "Conv2D", 224, 100) for shape in [(224, 224, 64), (112, 112, 128), (7, 7, 512)]]
    widths, heights, depths = zip(*sizes)
    assert heights[0] == depths[0] == 100
    assert list(heights) == sorted(heights, reverse=True)
    assert list(widths) == sorted(widths)
    assert heights[2] > 8


@pytest.mark.parametrize(
    ("kind", "hue"),
    [
        ("Conv2D", "conv"),
        ("MaxPool2D", "pool"),
        ("GlobalAveragePooling2D", "pool"),
        ("Dense", "dense"),
        ("Flatten", "plain"),
    ],
)
def test_the_colour_depends_on_the_kind(kind, hue):
    assert hue_of(kind) == hue


def test_a_layer_without_parameters_is_drawn_like_the_one_before():
    layers = [
        LayerRow("pool_0", "MaxPool2D", (4, 4, 1)),
        LayerRow("conv", "Conv2D", (4, 4, 1), 5, "frozen"),
        LayerRow("pool", "MaxPool2D", (2, 2, 1), 0, "trained"),
        LayerRow("out", "Dense", (1,), 5),
    ]
    assert drawn_states(layers) == ["frozen", "frozen", "frozen", "trained"]
    assert drawn_states(layers[:1]) == ["trained"]


def test_frozen_layers_are_hatched_and_marked():
    trained, frozen = draw_architecture(vgg16()), draw_architecture(vgg16("frozen"))
    assert "url(#" not in trained
    assert "frozen" not in words(trained)
    assert {"frozen", "trained"} <= set(words(frozen))
    patterns = set(re.findall(r'<pattern [^>]*id="([^"]+)"', frozen))
    assert set(re.findall(r"url\(#([^)]+)\)", frozen)) <= patterns


def test_two_drawings_on_a_page_share_no_pattern():
    identifiers = [set(re.findall(r' id="([^"]+)"', draw_architecture(vgg16("frozen"), width=w))) for w in (350, 880)]
    assert identifiers[0]
    assert not identifiers[0] & identifiers[1]


def cells_of(*widths, kind="Conv2D"):
    return [Cell(LayerRow("", kind, (1,)), Solid(Drawing(""), width, 1), [""], "trained") for width in widths]


@pytest.mark.parametrize(
    ("widths", "width", "lengths"),
    [([50] * 4, 1000, [4]), ([50] * 4, 150, [2, 2]), ([50] * 7, 260, [4, 3]), ([500], 100, [1]), ([], 100, [])],
)
def test_rows_are_few_and_even(widths, width, lengths):
    rows = break_rows(cells_of(*widths), width)
    assert sorted(map(len, rows), reverse=True) == lengths


def test_rows_preferably_break_before_a_block():
    cells = cells_of(50, 50) + cells_of(50, kind="MaxPool2D") + cells_of(50, 50)
    assert [len(row) for row in break_rows(cells, 260)] == [3, 2]


@pytest.mark.parametrize(
    "layers", [[], [LayerRow("d", "Dense", (3,), 1)], [LayerRow("one", "Embedding", (2, 3, 4, 5), 1)]]
)
def test_unusual_networks_can_be_drawn(layers):
    ElementTree.fromstring(draw_architecture(layers))


def test_the_input_can_show_an_image():
    drawing = draw_architecture(SMALL, (8, 8, 3), image="data:image/png;base64,AAAA")
    (image,) = ElementTree.fromstring(drawing).iter(f"{SVG}image")
    assert image.attrib["href"].startswith("data:")


def test_an_unknown_state_is_rejected():
    with pytest.raises(ArgumentError, match=r"conv: expected one of the states 'trained', 'frozen'.*, got 'thawed'"):
        LayerRow("conv", "Conv2D", (1, 1, 1), 1, "thawed")
