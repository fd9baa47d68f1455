"""SVG elements as text, escaped when they are created.

`element("text", "a < b", x=3)` returns `<text x="3">a &lt; b</text>`. The result is a `Drawing`, a string that is known
to be markup; every other string is treated as text and escaped. So a class called `<script>` is displayed as a name, no
matter how many functions it passes through. A notebook displays a `Drawing`, and a template includes it unescaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitorch_cnn.files.printable import PAGE, printable

ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Drawing(str):
    """A string of finished markup: a template includes it unescaped, and a notebook displays it."""

    __slots__ = ()

    def __html__(self) -> Drawing:
        return self

    def _repr_html_(self) -> str:
        return str(self)


def escape(value: object) -> Drawing:
    """`value` escaped as text or as the value of an attribute; a `Drawing` is returned unchanged.

    XML cannot represent control characters at all, so one in a name would make the whole picture invalid; they are
    written as `\\x1b`.
    """
    if isinstance(value, Drawing):
        return value
    return Drawing(printable(value, PAGE).translate(ENTITIES))


def number(value: float) -> str:
    """A coordinate with at most two decimals, which is precise enough and keeps files small."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shorten(name: object, longest: int) -> str:
    """A name in at most `longest` characters, cut in the middle because names mostly differ at their ends."""
    name = str(name)
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 3
    return f"{name[: longest - 1 - tail]}…{name[len(name) - tail :]}"


def element(tag: str, *children: object, **attributes: Any) -> Drawing:
    """One element.

    Arguments: `tag`, for example `"path"`; `children` are drawings, or text that is escaped; of the attributes,
    `stroke_width=2` becomes `stroke-width="2"`, `class_` becomes `class`, and those that are None are left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, float) else escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Drawing(f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>")


def group(*children: object, **attributes: Any) -> Drawing:
    """The children as one group."""
    return element("g", *children, **attributes)


def label(
    text: str,
    x: float,
    y: float,
    *,
    size: float = 13,
    colour: str | None = None,
    anchor: str = "start",
    weight: int | None = None,
    **attributes: Any,
) -> Drawing:
    """Text with its baseline at `y` that starts, is centred or ends at `x`, in pixels.

    `anchor` says which of the three: `"start"`, `"middle"` or `"end"`.
    """
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


def path(points: Iterable[tuple[float, float]], *, closed: bool = False, **attributes: Any) -> Drawing:
    """Straight lines through `points`, each an `(x, y)` in pixels; `closed` joins the last to the first."""
    corners = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{corners}{'Z' if closed else ''}", **attributes)


def picture(width: float, height: float, *children: object, description: str, **attributes: Any) -> Drawing:
    """The outer `<svg>` of `width` by `height` pixels, which shrinks where less width is available.

    `description` is the alternative text for readers who cannot see the picture.
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
