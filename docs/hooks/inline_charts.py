"""Stored drawings, such as the benchmarks' charts, written into the pages that show them.

A picture in a file of its own knows only whether the reader's system is dark. Written into the page, a drawing takes
its colours from the theme that the reader has chosen there. A wide one scrolls on a phone.
"""

import posixpath
import re

from minitorch_cnn.report.theme import COLOURS

IMAGE = re.compile(r'(?:<p>)?<img [^>]*?src="([^"]*\.svg)"[^>]*>(?:</p>)?')
SMALLEST = 0.75  # of its full width, below which the words are too small to read


def insert(html, where, repository):
    """`html` with each stored drawing in the place of the `<img>` that names its file."""

    def one(match):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(where), match[1]))
        path = place.removeprefix("source/") if place.startswith("source/") else f"docs/{place}"
        return f'<div class="drawing">{themed((repository.root / path).read_text(encoding="utf-8"))}</div>'

    return IMAGE.sub(one, html)


def themed(svg):
    """A stored drawing with the colours of the page around it, and never too small to read."""
    names = {values[0]: name for name, values in COLOURS.items()}
    svg = re.sub(r"<style>.*?</style>", "", svg.strip())
    svg = re.sub(r'="(#[0-9a-f]{6})"', lambda match: f'="var(--{names[match[1]]}, {match[1]})"', svg)
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    return svg.replace('style="', f'style="min-width:{SMALLEST * width:g}px;', 1)
