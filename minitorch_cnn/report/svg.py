"""SVG elements as text, escaped where they are made.

`element("text", "a < b", x=3)` gives `<text x="3">a &lt; b</text>`. What `element` returns is a `Drawing`, a string
that is known to be markup; every other string is taken for text and escaped. So a class called `<script>` stays a
name, however many functions it passes through. A `Drawing` shows itself in a notebook and goes unescaped into a
template.
"""

import re

# XML has no way to write these, not even as a reference: a name that holds one would spoil the whole picture.
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Drawing(str):
    """A string of finished markup: a template inserts it as it is, a notebook shows the picture."""

    __slots__ = ()

    def __html__(self):
        return self

    def _repr_html_(self):
        return str(self)


def escape(value):
    """`value` as text between or inside tags; a `Drawing` stays what it is."""
    if isinstance(value, Drawing):
        return value
    return Drawing(NOT_XML.sub("\N{REPLACEMENT CHARACTER}", str(value)).translate(ENTITIES))


def number(value):
    """A coordinate with at most two decimals: a hundredth of a pixel is enough, and the file stays small."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shorten(name, longest):
    """A name in at most `longest` letters, cut in the middle: names that differ mostly differ at an end."""
    name = str(name)
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 3
    return f"{name[: longest - 1 - tail]}…{name[len(name) - tail :]}"


def element(tag, *children, **attributes):
    """One element.

    Args:
        tag: its name, as in `"path"`.
        children: drawings, or text that is escaped.
        attributes: `stroke_width=2` writes `stroke-width="2"`; `class_` loses its last stroke; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, float) else escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Drawing(f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>")


def group(*children, **attributes):
    """Elements that belong together."""
    return element("g", *children, **attributes)


def label(text, x, y, *, size=13, colour=None, anchor="start", weight=None, **attributes):
    """Text whose baseline starts (`start`), is centred (`middle`) or ends (`end`) at `(x, y)`, in pixels."""
    return element(
        "text",
        text,
        x=float(x),
        y=float(y),
        font_size=size,
        fill=colour,
        text_anchor=None if anchor == "start" else anchor,
        font_weight=weight,
        **attributes,
    )


def path(points, *, closed=False, **attributes):
    """Straight lines through `points`, a sequence of `(x, y)`."""
    corners = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{corners}{'Z' if closed else ''}", **attributes)


def picture(width, height, *children, description, **attributes):
    """The outer `<svg>`: `width` by `height` pixels of drawing that scale to the width they are given.

    Args:
        description: what a reader who cannot see the picture is told.
    """
    return element(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=description,
        font_family="var(--sans, system-ui, sans-serif)",
        style=f"width:100%;max-width:{number(width)}px;height:auto",
        **attributes,
    )
