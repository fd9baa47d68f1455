"""Drawings of im2col, max pooling, Winograd, feature maps and depth show the numbers of the definition."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report import (
    draw_col2im,
    draw_depth,
    draw_feature_maps,
    draw_filter_change,
    draw_gradient_depth,
    draw_im2col,
    draw_max_pool,
    draw_updates,
    draw_winograd_tile,
    feature_map_grid,
)

SPACE = "{http://www.w3.org/2000/svg}"


def tree_of(drawing):
    tree = ElementTree.fromstring(drawing)
    assert tree.attrib["role"] == "img" and len(tree.attrib["aria-label"]) > 20
    return tree


def words_in(drawing):
    return ["".join(node.itertext()) for node in tree_of(drawing).iter(f"{SPACE}text")]


def fits(drawing):
    """Asserts that nothing is outside the picture, and returns True."""
    tree = tree_of(drawing)
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    for node in tree.iter():
        x, y = float(node.get("x", 0)), float(node.get("y", 0))
        assert x >= -1 and x + float(node.get("width", 0)) <= width + 1, node.attrib
        assert y >= -1 and y + float(node.get("height", 0)) <= height + 1, node.attrib
    return True


@pytest.mark.parametrize("width", [350, 640])
def test_im2col_of_a_5x5_image(width):
    drawing = draw_im2col(width=width)
    numbers = [int(words) for words in words_in(drawing) if words.isdigit()]
    by_hand = [(i + p) * 5 + j + q + 1 for i in range(3) for j in range(3) for p in range(3) for q in range(3)]
    assert numbers == [*range(1, 26), *by_hand]
    said = tree_of(drawing).attrib["aria-label"]
    assert "Window 5 becomes row 5 of the columns: pixels 7, 8, 9, 12, 13, 14, 17, 18, 19." in said
    assert "Pixel 13 is copied into 9 rows: 1, 2, 3, 4, 5, 6, 7, 8, 9." in said
    assert fits(drawing)


def test_im2col_with_padding_and_strides():
    drawing = draw_im2col((4, 3), (3, 2), (2, 1), ((1, 0), (0, 1)), place=0, pixel=(1, 1))
    said = tree_of(drawing).attrib["aria-label"]
    assert "pixels padding, padding, 1, 2, 4, 5" in said and fits(drawing)
    seen = [(2 * i + p, j + q) for i in range(2) for j in range(3) for p in range(3) for q in range(2)]
    outside = sum(row == 0 or column == 3 for row, column in seen)
    assert words_in(drawing).count("·") == 8 + outside


def test_a_padded_image_that_is_taller_than_its_columns_is_whole():
    drawing = draw_im2col((4, 4), (3, 3), (2, 2), ((1, 1), (1, 1)), place=0)
    assert "image 4x4, padded to 6x6" in words_in(drawing) and fits(drawing)
    *_, height = map(float, tree_of(drawing).attrib["viewBox"].split())
    assert height >= 30 + 6 * 34


@pytest.mark.parametrize("width", [350, 640])
def test_col2im_counts_the_copies(width):
    drawing = draw_col2im(width=width)
    numbers = [int(words) for words in words_in(drawing) if words.isdigit()]
    counts = numbers[:25]
    assert numbers[25:] == [1] * 81  # what each copy received
    assert counts == np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]).ravel().tolist()
    assert "pixel 13 has 9 copies" in tree_of(drawing).attrib["aria-label"] and fits(drawing)


@pytest.mark.parametrize("width", [350, 640])
def test_a_max_pool_and_its_backward_pass(width):
    x = [[1, 5, 2, 0], [3, 4, 8, 6], [7, 0, 1, 2], [2, 9, 3, 1]]
    drawing = draw_max_pool(x, [[0.5, -1], [2, 3]], width=width)
    said = tree_of(drawing).attrib["aria-label"]
    received = {"row 1, column 2": 0.5, "row 2, column 3": -1, "row 4, column 2": 2, "row 4, column 3": 3}
    for place, dy in received.items():
        assert f"{place} wins 1 of the windows and receives {dy}" in said
    shown = [float(words) for words in words_in(drawing) if re.fullmatch(r"-?[0-9.]+", words)]
    back = [0, 0.5, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 2, 3, 0]
    assert shown == [*np.ravel(x), 5, 8, 9, 3, 0.5, -1, 2, 3, *back] and fits(drawing)


def test_overlapping_windows_add_up():
    drawing = draw_max_pool([[0, 1, 0], [1, 9, 1], [0, 1, 0]], [[1, 2], [3, 4]], (2, 2), (1, 1))
    assert "row 2, column 2 wins 4 of the windows and receives 10" in tree_of(drawing).attrib["aria-label"]
    assert any("won more than once" in words for words in words_in(drawing)) and fits(drawing)


@pytest.mark.parametrize("width", [350, 760])
def test_a_winograd_tile_gives_the_convolution(width):
    random = np.random.default_rng(0)
    patch, kernel = random.integers(0, 9, (6, 6)), random.integers(-2, 3, (3, 3))
    wanted = [[(patch[i : i + 3, j : j + 3] * kernel).sum() for j in range(4)] for i in range(4)]
    drawing = draw_winograd_tile(patch, kernel, width=width)
    rows = "; ".join(" ".join(str(number) for number in row) for row in wanted)
    assert rows in tree_of(drawing).attrib["aria-label"] and fits(drawing)
    assert "36 multiplications instead of 16 × 9 = 144" in tree_of(drawing).attrib["aria-label"]
    with pytest.raises(ShapeError, match=r"expected a patch \(6, 6\)"):
        draw_winograd_tile(patch[:4], kernel)


def pixels(html):
    data = re.search(r"base64,([^\"]+)", html)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def test_feature_maps_show_the_channels_that_vary_most():
    maps = np.zeros((5, 7, 6), np.float32)
    maps[..., 4] = np.arange(35).reshape(5, 7)
    maps[2, 3, 1] = 50
    html = draw_feature_maps({"conv <1>": maps}, most=2)
    assert 'alt="conv &lt;1&gt;: the 2 most varied of 6 feature maps, 5×7 each; light is a high value"' in html
    grid = pixels(html)
    bright = grid[..., :3].astype(int).sum(axis=2)
    height, width = 5 * 14, 7 * 14
    assert grid.shape[:2] == (height, 2 * width + 6)
    assert np.unravel_index(bright[:, :width].argmax(), (height, width)) == (2 * 14, 3 * 14)
    assert bright[:, width + 6 :].argmax() // width >= 4 * 14  # the last pixel is the largest
    assert not grid[:, width : width + 6, 3].any()


@pytest.mark.parametrize("shape", [(224, 224, 3), (1, 1, 4), (7, 7, 512)])
def test_feature_maps_of_every_size(shape):
    grid = feature_map_grid(np.random.default_rng(0).random(shape), [0, 1, 2])
    assert grid.dtype == np.uint8 and 100 <= grid.shape[1] <= 3 * 200
    assert feature_map_grid(np.full(shape, np.nan), [0]).shape[2] == 4


def test_an_array_that_is_not_a_feature_map_is_rejected():
    with pytest.raises(ShapeError, match="feature map: expected"):
        feature_map_grid(np.zeros((3, 4)), [0])


def test_filters_before_and_after():
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 8)).astype(np.float32)
    html = draw_filter_change(kernel, kernel + 0.01)
    assert html.count("<figure>") == 3 and "Before fine-tuning" in html and "The change, " in html
    assert html.count("alt=") == 3
    assert draw_filter_change(kernel, None).count("<figure>") == 1
    assert draw_filter_change(kernel, kernel).count("<figure>") == 2  # nothing changed, so there is no change to show


def test_layers_are_drawn_on_a_logarithmic_axis():
    drawing = draw_gradient_depth([("a", 1e-4), ("b", 1e-2), ("c", 1.0)])
    x = [float(node.attrib["cx"]) for node in tree_of(drawing).iter(f"{SPACE}circle")]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.02) and x[0] < x[1]
    assert "a 1.0e-04; b 1.0e-02; c 1.0e+00" in tree_of(drawing).attrib["aria-label"]


EXTREME = {
    "none": [],
    "zero": [("a", 0.0)],
    "not finite": [("a", float("nan")), ("b", float("inf")), ("c", 1e-30)],
    "far apart": [("<b>", 1e300), ("\x00", 1e-300)],
    "many": [(f"layer_{i}", 10.0**-i) for i in range(40)],
}


@pytest.mark.parametrize("rows", EXTREME.values(), ids=EXTREME)
def test_extreme_values_can_be_drawn(rows):
    for drawing in (draw_depth("title", rows), draw_updates(rows)):
        ElementTree.fromstring(drawing)
