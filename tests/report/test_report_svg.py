"""SVG elements: any text and any attribute gives well-formed XML with the same content."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitorch_cnn.report.svg import Drawing, element, escape, label, number, path, picture, shorten

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='x",
    "]]>",
    "a & b",
    "&lt;",
    "<!--",
    "\N{SNOWMAN}",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_text_and_attributes_are_kept_exactly(words):
    tree = ElementTree.fromstring(element("text", words, data_name=words))
    assert tree.text == words
    assert tree.attrib == {"data-name": words}


@given(st.text(), st.text())
def test_every_string_gives_well_formed_xml(first, second):
    tree = ElementTree.fromstring(picture(10, 10, label(first, 0, 0), description=second))
    assert "".join(tree.itertext()).count("\\x00") >= first.count("\x00")


def test_control_characters_are_visible_and_lines_remain():
    assert escape("a\x1b\x85\u202e\n\t\xa0<") == "a\\x1b\\x85\\u202e\n\t\xa0&lt;"


def test_finished_markup_is_not_escaped_twice():
    inner = element("title", "a < b")
    assert element("g", inner) == "<g><title>a &lt; b</title></g>"
    assert escape(inner) is inner


def test_attributes():
    assert element("rect", stroke_width=2, class_="a", fill=None, x=1.0) == '<rect stroke-width="2" class="a" x="1"/>'
    assert path([(0, 0.126), (1, 2)], closed=True) == '<path d="M0 0.13L1 2Z"/>'


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.004, "0"), (-0.001, "0"), (12.345, "12.35"), (100.0, "100")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_templates_and_notebooks_display_a_drawing():
    drawing = Drawing("<svg/>")
    assert drawing.__html__() == drawing._repr_html_() == "<svg/>"


def test_a_picture_has_a_description():
    tree = ElementTree.fromstring(picture(30, 20, description="a <b>"))
    assert tree.attrib["role"] == "img"
    assert tree.attrib["aria-label"] == "a <b>"
    assert tree.attrib["viewBox"] == "0 0 30 20"


@pytest.mark.parametrize(
    ("name", "longest", "short"),
    [("conv2d_1", 8, "conv2d_1"), ("class number 23", 10, "class … 23"), ("abcdefgh", 4, "ab…h"), (7, 10, "7")],
)
def test_shortened_names_keep_both_ends(name, longest, short):
    assert shorten(name, longest) == short
