"""The drawings on the page of transfer learning: blocks and strips, curves over phases, heat over a photo."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.report import Curve, LayerRow, Phase, draw_phases, draw_surgery, heat_colours, overlay
from minitorch_cnn.report.curves import duration_text, percent_text
from minitorch_cnn.report.keep_toss_add import block_kind, block_name, blocks_of
from minitorch_cnn.report.strips import pieces, short_number

SVG = "{http://www.w3.org/2000/svg}"


def vgg16(state="frozen"):
    layers, size = [], 150
    for block, (convolutions, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for i in range(1, convolutions + 1):
            layers.append(LayerRow(f"block{block}_conv{i}", "Conv2D", (size, size, channels), 9, state))
        size //= 2
        layers.append(LayerRow(f"block{block}_pool", "MaxPool2D", (size, size, channels)))
    return layers


TOSSED = [LayerRow("fc1", "Dense", (4096,), 5), LayerRow("predictions", "Dense", (1000,), 5)]
ADDED = [
    LayerRow("flatten", "Flatten", (8192,)),
    LayerRow("dense_1", "Dense", (256,), 7),
    LayerRow("out", "Dense", (1,), 1),
]
PHASES = [
    Phase("base frozen", {}),
    Phase("block 5 as well", {}, {f"block5_conv{i}": "trained" for i in (1, 2, 3)}),
    Phase("everything", {}, {layer.name: "trained" for layer in vgg16()}),
]


def words(drawing):
    return [node.text for node in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def test_a_pool_or_a_dense_layer_ends_a_block():
    blocks = blocks_of(vgg16())
    assert [block_name(block) for block in blocks] == [f"block{i}" for i in range(1, 6)]
    assert [block_kind(block) for block in blocks] == ["2 conv, pool"] * 2 + ["3 conv, pool"] * 3
    assert [[layer.name for layer in block] for block in blocks_of(ADDED)] == [["flatten", "dense_1"], ["out"]]
    assert [block_kind(block) for block in blocks_of(ADDED)] == ["Flatten, Dense", "Dense"]
    assert blocks_of([]) == []


def graph():
    """A network with branches: two stages with a sum each, a padding before the second, a squeeze in it."""
    rows = [
        ("stem_conv", "Conv2D", (30, 21, 8), (-1,)), ("stem_bn", "BatchNorm", (30, 21, 8), (0,)),
        ("block1a_conv", "Conv2D", (30, 21, 8), (1,)), ("block1a_add", "Add", (30, 21, 8), (2, 1)),
        ("block2a_pad", "ZeroPad2D", (31, 23, 8), (3,)), ("block2a_conv", "Conv2D", (15, 11, 16), (4,)),
        ("block2a_bn", "BatchNorm", (15, 11, 16), (5,)), ("block2a_squeeze", "GlobalAveragePool2D", (16,), (6,)),
        ("block2a_reshape", "Reshape", (1, 1, 16), (7,)), ("block2a_excite", "Conv2D", (1, 1, 16), (8,)),
        ("block2a_times", "Multiply", (15, 11, 16), (6, 9)),
    ]  # fmt: skip
    return [LayerRow(name, kind, shape, 4 * ("conv" in name or "bn" in name or "excite" in name), "trained", "", reads)
            for name, kind, shape, reads in rows]  # fmt: skip


def test_the_blocks_of_a_graph_have_one_size():
    blocks = blocks_of(graph())
    assert [len(block) for block in blocks] == [4, 7]
    assert [block_name(block) for block in blocks] == ["stem", "block2a"]
    assert block_kind(blocks[1]) == "7 layers"
    named = [LayerRow(name, "Add", (2, 2, 2), reads=(0, 1)) for name in ("conv3_block1_1_conv", "conv3_block1_add")]
    assert block_name(named) == "conv3"


def test_frozen_batch_norms_do_not_chop_a_strip():
    phase = Phase("everything", {}, {"stem_bn": "frozen", "block2a_bn": "frozen"})
    assert pieces([(0, 10, graph()[:4]), (10, 20, graph()[4:])], phase) == [("trained", 0, 20)]
    assert pieces([(0, 10, graph()[1:2])], phase) == [("frozen", 0, 10)]
    drawing = draw_surgery(graph(), TOSSED, ADDED, [phase])
    assert "Phase 1, everything: stem_conv to out trained." in drawing


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["block1_conv1", "block1_pool"], "block1"),
        (["conv2d_1", "max_pool2d_1"], "max_pool2d_1"),
        (["conv"], "conv"),
        (["a1", "a2"], "a2"),
    ],
)
def test_a_block_is_named_after_the_common_prefix_of_its_layers(names, name):
    assert block_name([LayerRow(one, "Conv2D", (2, 2, 2)) for one in names]) == name


@pytest.mark.parametrize("kept", [vgg16(), vgg16() * 3], ids=["5 blocks", "15 blocks"])
@pytest.mark.parametrize("width", [350, 880])
def test_every_block_is_drawn_and_nothing_is_outside_the_picture(width, kept):
    drawing = draw_surgery(kept, TOSSED, ADDED, PHASES, width=width)
    text = words(drawing)
    heads = ["Keep", "Toss", "Add", f"{len(kept)} layers of VGG16"]
    for word in [*heads, "block5", "4×4×512", "fc1", "4096", "dense_1", "256"]:
        assert word in text
    tree = ElementTree.fromstring(drawing)
    right, bottom = map(float, tree.attrib["viewBox"].split()[2:])
    assert right == width
    for node in tree.iter(f"{SVG}text"):
        # A letter is about 0.6 of the font size wide.
        length = 0.6 * float(node.attrib["font-size"]) * len(node.text)
        before = {None: 0, "middle": 0.5, "end": 1}[node.attrib.get("text-anchor")] * length
        assert float(node.attrib["x"]) - before >= -1
        assert float(node.attrib["x"]) - before + length <= right + 2
        assert 0 < float(node.attrib["y"]) < bottom


@pytest.mark.parametrize("width", [350, 880])
def test_tossed_blocks_are_crossed_out(width):
    def crosses(drawing):
        lines = ElementTree.fromstring(drawing).iter(f"{SVG}path")
        return sum(node.attrib.get("stroke-linecap") == "round" for node in lines)

    assert crosses(draw_surgery(vgg16(), TOSSED, ADDED, width=width)) == 2 * len(TOSSED)
    assert crosses(draw_surgery(vgg16(), [], ADDED, width=width)) == 0


def test_the_drawing_has_a_description():
    drawing = draw_surgery(vgg16(), TOSSED, ADDED, PHASES)
    said = ElementTree.fromstring(drawing).attrib["aria-label"]
    assert (
        "Chopped off: fc1 (Dense, 4096), predictions (Dense, 1000). New on top: dense_1 (Flatten, Dense, 256)" in said
    )
    assert "Phase 1, base frozen: block1_conv1 to block5_conv3 frozen; dense_1 to out trained." in said
    assert "block1_conv1 to block4_conv3 frozen; block5_conv1 to out trained." in said
    assert said.endswith("Phase 3, everything: block1_conv1 to out trained.")


def test_two_drawings_on_a_page_share_no_pattern():
    patterns = [
        {
            node.attrib["id"]
            for node in ElementTree.fromstring(draw_surgery(vgg16(), [], ADDED, width=width)).iter()
            if "id" in node.attrib
        }
        for width in (350, 880)
    ]
    assert all(patterns)
    assert not patterns[0] & patterns[1]


def test_a_strip_is_cut_where_the_state_changes():
    layers = [LayerRow(f"conv{i}", "Conv2D", (4, 4, 1), 1, "frozen") for i in range(4)]
    pool, out = LayerRow("pool", "MaxPool2D", (2, 2, 1)), LayerRow("out", "Dense", (1,), 1)
    spans = [(0, 100, [*layers, pool]), (110, 150, [pool]), (160, 200, [out])]
    assert pieces(spans, Phase("", {})) == [("frozen", 0, 150), ("trained", 160, 200)]
    assert pieces(spans, Phase("", {}, {"conv3": "trained"})) == [("frozen", 0, 75), ("trained", 75, 200)]
    assert pieces(spans, Phase("", {}, {"conv1": "trained"})) == [
        ("frozen", 0, 25),
        ("trained", 25, 50),
        ("frozen", 50, 150),
        ("trained", 160, 200),
    ]
    assert pieces([], Phase("", {})) == []


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (2570, "2,570"), (999_999, "999,999"), (14_714_688, "14.7 million")]
)
def test_short_numbers(number, text):
    assert short_number(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (90, "1.5 min"), (5399, "90.0 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def chart(**changes):
    values = {
        "phases": [
            ("base frozen", [Curve("training", [0.5, 0.75, 0.875], "train"), Curve("validation", [0.5, 0.625])]),
            ("everything", [Curve("validation", [0.75, 0.8125])]),
        ],
        "baseline": Curve("from scratch", [0.25] * 5, "wrong"),
        "references": [("the book", 0.9375)],
        "text": percent_text,
    }
    return draw_phases("Accuracy", **(values | changes))


def test_each_phase_ends_with_its_values():
    text = words(chart())
    for word in [
        "1 base frozen",
        "2 everything",
        "87.50%",
        "62.50%",
        "81.25%",
        "25.00% (5 epochs)",
        "the book",
        "93.75%",
    ]:
        assert word in text


def test_the_second_phase_begins_where_the_first_ended():
    tree = ElementTree.fromstring(chart(baseline=None, references=()))
    strokes = [node.attrib["d"] for node in tree.iter(f"{SVG}path") if node.attrib.get("stroke-width") == "2.25"]
    # Epochs 1 to 5 are 90.5 pixels apart, from 48 to 410; the first curve of every phase is drawn last.
    across = [[float(point.split(" ")[0]) for point in stroke[1:].split("L")] for stroke in strokes]
    assert across == [[48, 138.5], [48, 138.5, 229], [319.5, 410]]
    border = [node.attrib["d"] for node in tree.iter(f"{SVG}path") if node.attrib.get("stroke-dasharray") == "4 3"]
    assert [path.split(" ")[0] for path in border] == ["M274.25"]


def test_a_baseline_may_take_longer():
    tree = ElementTree.fromstring(chart(baseline=Curve("from scratch", [0.25] * 9, "wrong")))
    borders = [node for node in tree.iter(f"{SVG}path") if node.attrib.get("stroke-dasharray") == "4 3"]
    assert len(borders) == 2


def test_one_phase_needs_no_border():
    drawing = chart(phases=[("base frozen", [Curve("training", [0.5, 0.75])])])
    assert "base frozen" in words(drawing)
    assert 'stroke-dasharray="4 3"' not in drawing


def test_without_a_number_there_is_no_chart():
    assert chart(phases=[], baseline=None) is None
    assert chart(phases=[("one", [Curve("loss", [math.nan])])], baseline=None) is None
    assert chart(phases=[], baseline=Curve("from scratch", [])) is None


def lightness(colours):
    """Returns the CIE L* of sRGB colours `(..., 3)`."""
    shares = np.asarray(colours) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16


def test_hotter_is_lighter_in_even_steps():
    steps = np.diff(lightness(heat_colours(np.linspace(0, 1, 101))))
    assert steps.min() > 0.6
    assert steps.max() < 1.2


def test_the_ends_of_the_scale():
    np.testing.assert_array_equal(heat_colours(np.array([0.0, 1.0])), [[0x20, 0x10, 0x4D], [0xFC, 0xF3, 0xA4]])


@pytest.mark.parametrize("shape", [(4, 6, 3), (4, 6, 1), (4, 6)])
def test_heat_covers_a_photo(shape):
    image = np.full(shape, 100, np.uint8)
    heat = np.zeros((4, 6))
    heat[1, 2], heat[3, 3], heat[0, 0] = 1, math.nan, 7
    result = overlay(image, heat)
    assert result.shape == (4, 6, 3)
    assert result.dtype == np.uint8
    # One quarter grey and three quarters of the hottest colour; half grey and half of the coldest.
    assert result[1, 2].tolist() == result[0, 0].tolist() == [214, 207, 148]
    assert result[2, 2].tolist() == result[3, 3].tolist() == [66, 58, 88]


def test_a_photo_is_converted_to_grey():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = [200, 0, 0]
    image[0, 1] = round(0.299 * 200)
    result = overlay(image, np.zeros((1, 2)))
    assert np.abs(result[0, 0].astype(int) - result[0, 1]).max() <= 1


@pytest.mark.parametrize(
    ("image", "heat", "error"),
    [
        (np.zeros((4, 4, 3)), np.zeros((4, 4)), ArgumentError),
        (np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4)), ShapeError),
        (np.zeros(4, np.uint8), np.zeros(4), ShapeError),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 3)), ShapeError),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1)), ShapeError),
    ],
)
def test_an_array_that_is_not_a_photo_or_heat_is_rejected(image, heat, error):
    with pytest.raises(error, match=r"^(image|heat): expected .*, got "):
        overlay(image, heat)
