"""Charts of the results, in the colours of the package's reports: dots on rows, and lines.

In a report the page sets the colours. A chart in a file of its own has no page, so `save` writes the colours into the
file, with a rule for readers whose system is dark, and draws a background. The documentation takes that rule out: there
the theme that the reader has chosen sets the colours.
"""

import math
import re

from minitorch_cnn.report.axes import value_ticks
from minitorch_cnn.report.svg import element, group, label, path, picture
from minitorch_cnn.report.theme import COLOURS, colour

INKS = ("accent", "wrong", "right", "pool", "dense", "plain", "ink")
WIDTH, MARGIN, ROW = 760, 16, 22
LEGEND_LETTER = 8.2  # width of a letter of the legend, in pixels


class Scale:
    """Maps numbers `low`..`high` to pixels `start`..`end`; with `log`, equal ratios take equal distances."""

    def __init__(self, low, high, start, end, log=False):
        self.turn = math.log if log else float
        self.low, self.high = self.turn(low), self.turn(high)
        self.start, self.end = start, end

    def __call__(self, value):
        share = (self.turn(value) - self.low) / ((self.high - self.low) or 1)
        return self.start + (self.end - self.start) * share


def ratio_ticks(low, high):
    """1, 2 and 5 times powers of ten from below `low` to above `high`; beyond three decades the powers alone."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 2, 5) if high < 1000 * low else (1,)
    ticks = [step * 10.0**power for power in powers for step in steps]
    first = max(at for at, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
    last = min(at for at, tick in enumerate(ticks) if tick >= high * (1 - 1e-9))
    return ticks[first : max(last, first + 1) + 1]


def inks(names):
    """{name: colour} for the names of a chart's series, in order."""
    return {name: INKS[at % len(INKS)] for at, name in enumerate(dict.fromkeys(names))}


def dots(title, rows, *, panels=("",), log=False, at_one="", width=WIDTH, names=230):
    """A row of dots for each name, all on one scale; panels stand side by side and share the rows.

    Args:
        rows: `(name, [{series: (value, text)} for each panel])`; a row with an empty list is a heading. A text that is
            not empty is written beside its dot.
        panels: their titles.
        log: whether the scale is logarithmic.
        at_one: what the vertical line at 1 means; without it there is no such line.
    """
    found = [(series, value) for _, cells in rows for cell in cells for series, (value, _) in cell.items()]
    hues = inks(series for series, _ in found)
    values = [value for _, value in found] + ([1.0] if at_one else [])
    ticks = ratio_ticks(min(values), max(values)) if log else value_ticks(0.0, max(values), 5)
    parts = [label(title, MARGIN, 26, size=16, weight=600, colour=colour("ink")), *legend(hues, 48)]
    top = 78 if len(hues) > 1 else 58 if any(panels) else 42
    bottom = top + ROW * len(rows) + 6
    each = (width - MARGIN - names) / len(panels)
    for at, panel in enumerate(panels):
        start = names + at * each
        scale = Scale(ticks[0], ticks[-1], start + 6, start + each - 44, log)
        if panel:
            parts.append(label(panel, start + 6, top - 8, size=13, weight=600, colour=colour("ink")))
        for tick in ticks:
            strong = at_one and tick == 1
            ink = colour("ink" if strong else "line")
            ends = [(scale(tick), top), (scale(tick), bottom)]
            parts.append(path(ends, fill="none", stroke=ink, stroke_width=1))
            parts.append(label(f"{tick:g}", scale(tick), bottom + 16, size=12, anchor="middle", colour=colour("muted")))
        if at_one:
            parts.append(label(at_one, scale(1), bottom + 32, size=12, anchor="middle", colour=colour("muted")))
    for row, (name, cells) in enumerate(rows):
        y = top + ROW * row + 14
        heading = not cells
        parts.append(label(name, MARGIN, y + 4, size=13, weight=600 if heading else None, colour=colour("ink")))
        for at, cell in enumerate(cells):
            start = names + at * each
            scale = Scale(ticks[0], ticks[-1], start + 6, start + each - 44, log)
            for series, (value, text) in cell.items():
                spot = {"cx": float(scale(value)), "cy": float(y), "r": 5.0, "fill": colour(hues[series])}
                words = element("title", f"{name}, {series}: {text or format(value, '.3g')}")
                parts.append(group(element("circle", words, **spot)))
                if text:
                    parts.append(label(text, scale(value) + 9, y + 4, size=12, colour=colour("muted")))
    height = bottom + (40 if at_one else 24)
    return picture(width, height, *parts, description=title)


def lines(title, panels, *, width=WIDTH, height=300):
    """Line charts side by side, each with its own axes; a series has the same colour in all of them.

    Args:
        panels: `(title, {series: [(x, y), ...]}, log)`; the x axis is logarithmic, with a mark at each point; the y
            axis is logarithmic if `log`.
    """
    hues = inks(series for _, curves, _ in panels for series in curves)
    parts = [label(title, MARGIN, 26, size=16, weight=600, colour=colour("ink")), *legend(hues, 48)]
    each, top, bottom = (width - MARGIN) / len(panels), 92, height - 28
    for at, (name, curves, log) in enumerate(panels):
        points = [point for curve in curves.values() for point in curve]
        xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
        ticks = ratio_ticks(min(ys), max(ys)) if log else value_ticks(0.0, max(ys), 5)
        start, end = MARGIN + at * each + 36, MARGIN + (at + 1) * each - 18
        across = Scale(xs[0], xs[-1], start, end, log=True)
        down = Scale(ticks[0], ticks[-1], bottom, top, log)
        parts.append(label(name, start - 34, top - 14, size=13, weight=600, colour=colour("ink")))
        for tick in ticks:
            ends = [(start, down(tick)), (end, down(tick))]
            parts.append(path(ends, fill="none", stroke=colour("line"), stroke_width=1))
            parts.append(label(f"{tick:g}", start - 6, down(tick) + 4, size=12, anchor="end", colour=colour("muted")))
        written = -math.inf  # where the last mark was written; the next one must not overlap it
        for x in xs:
            if across(x) - written > 22:
                parts.append(label(f"{x:g}", across(x), bottom + 18, size=12, anchor="middle", colour=colour("muted")))
                written = across(x)
        for series, curve in curves.items():
            ink, corners = colour(hues[series]), [(across(x), down(y)) for x, y in sorted(curve)]
            parts.append(path(corners, fill="none", stroke=ink, stroke_width=2, stroke_linejoin="round"))
            for (x, y), (value_x, value) in zip(corners, sorted(curve)):
                words = element("title", f"{series}, {value_x:g}: {value:.4g}")
                parts.append(element("circle", words, cx=float(x), cy=float(y), r=3.0, fill=ink))
    return picture(width, height, *parts, description=title)


def legend(hues, y):
    """A dot and a name for each series; nothing if there is only one."""
    x = float(MARGIN)
    for name, hue in hues.items() if len(hues) > 1 else ():
        yield element("circle", cx=x + 5, cy=y - 4.0, r=5.0, fill=colour(hue))
        yield label(name, x + 16, y, size=13, colour=colour("ink"))
        x += 34 + LEGEND_LETTER * len(name)


def dark_rules():
    """The CSS that turns the colours of a chart in a file of its own into those of the dark theme."""
    pairs = dict(COLOURS.values())
    rules = (f'[{what}="{light}"]{{{what}:{dark}}}' for light, dark in pairs.items() for what in ("fill", "stroke"))
    return f"<style>@media(prefers-color-scheme:dark){{{''.join(rules)}}}</style>"


def save(drawing, path_to):
    """Write a drawing to a file that can be shown without a page around it, on light and on dark screens."""
    paper = element("rect", width="100%", height="100%", fill=colour("paper"))
    text = drawing.replace(">", f">{dark_rules()}{paper}", 1)
    path_to.parent.mkdir(parents=True, exist_ok=True)
    path_to.write_text(re.sub(r"var\(--[\w-]+, ([^()]*)\)", r"\1", text) + "\n")
