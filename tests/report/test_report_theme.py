"""Colours have enough contrast in both themes (WCAG 2: 4.5 to 1 for text, 3 to 1 for lines)."""

import re
from pathlib import Path

import pytest

from minitorch_cnn import report
from minitorch_cnn.report.confusion import DEEPEST
from minitorch_cnn.report.theme import COLOURS, colour, style_variables

THEMES = {"light": 0, "dark": 1}


def channels(value):
    return [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour_channels):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour_channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("paper", ["paper", "panel"])
@pytest.mark.parametrize(
    ("ink", "least"),
    [
        ("ink", 7),
        ("muted", 4.5),
        ("accent", 4.5),
        ("wrong", 4.5),
        ("train", 3),
        ("validation", 3),
        ("right", 3),
        ("conv", 3),
        ("dense", 3),
    ],
)
def test_contrast(theme, paper, ink, least):
    column = THEMES[theme]
    assert contrast(channels(COLOURS[ink][column]), channels(COLOURS[paper][column])) >= least


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("hue", ["right", "wrong"])
def test_counts_are_readable_on_the_strongest_tint(theme, hue):
    column = THEMES[theme]
    pairs = zip(channels(COLOURS[hue][column]), channels(COLOURS["paper"][column]))
    tint = [over * DEEPEST / 100 + under * (1 - DEEPEST / 100) for over, under in pairs]
    assert contrast(tint, channels(COLOURS["ink"][column])) >= 4.5


def test_every_colour_of_the_style_sheet_is_in_the_table():
    style = (Path(report.__file__).parent / "style.css").read_text(encoding="utf-8")
    assert set(re.findall(r"var\(--([a-z]+)", style)) - {"sans", "mono", "classes"} <= set(COLOURS)
    assert re.findall(r"#[0-9a-f]{3,8}\b", style) == []


def test_colours_are_variables_with_a_fallback():
    assert colour("ink") == f"var(--ink, {COLOURS['ink'][0]})"
    assert f"--ink:{COLOURS['ink'][1]}" in style_variables().split("prefers-color-scheme:dark")[1]
