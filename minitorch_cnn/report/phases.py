"""Curves of a training in phases, one after the other on one epoch axis, with a border where the next phase begins.

Above the lines stands a column of values for every phase: what each curve had come to when the phase was over.
"""

import math
from dataclasses import replace

from .axes import value_ticks
from .curves import LEFT, RIGHT, WIDTH, grid, line, plain_text
from .svg import element, group, label, path, picture, shorten
from .theme import colour

PLOT = 224
COLUMN = 148
LONGEST_NAME = 19


def draw_phases(title, phases, *, rival=None, references=(), text=plain_text):
    """A chart of curves over the epochs of all phases.

    Args:
        title: what is measured.
        phases: `(name, curves)` pairs; the `Curve`s of a phase begin at its own first epoch, and curves of the same name
            belong together.
        rival: the `Curve` of another training over the same epochs; None for none.
        references: `(label, value)` pairs, drawn as level lines.
        text: how a value is written, `plain_text` or `percent_text`.

    Returns:
        A `Drawing`, or None when no value is a number.
    """
    phases = one_after_the_other(phases)
    rivals = [rival] if rival is not None and len(rival.values) else []
    curves = [curve for _, own, _, _ in phases for curve in own] + rivals
    finite = [float(value) for curve in curves for value in curve.values if math.isfinite(value)]
    if not finite:
        return None
    epochs = max(curve.first - 1 + len(curve.values) for curve in curves)
    names = list(dict.fromkeys(curve.name for _, own, _, _ in phases for curve in own))
    top = 62 + 21 * (len(names) + len(rivals) + len(references))
    bottom = top + PLOT
    levels = [float(value) for _, value in references if math.isfinite(value)]
    ticks = value_ticks(min([*finite, *levels]), max([*finite, *levels]))

    def across(epoch):
        place = (epoch - 1) / (epochs - 1) if epochs > 1 else 0.5
        return min(RIGHT, max(LEFT, LEFT + (RIGHT - LEFT) * place))

    def down(value):
        return bottom - (bottom - top) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [label(title, 0, 16, size=16, weight=600, colour=colour("ink"))]
    parts += legend(names, phases, rivals, references, text)
    if len(phases) > 1:
        parts += borders(phases, epochs, across, top, bottom)
    parts += grid(ticks, epochs, across, down, text)
    for words, value in references:
        if math.isfinite(value):
            level = [(LEFT, down(value)), (RIGHT, down(value))]
            parts.append(path(level, stroke=colour("right"), stroke_width=1.5, stroke_dasharray="2 4"))
    parts += [line(curve, None, text, across, down, bottom) for curve in [*rivals, *reversed(curves[: len(curves) - len(rivals)])]]
    return picture(WIDTH, bottom + 28, *parts, description=in_words(title, phases, rivals, references, text))


def one_after_the_other(phases):
    """`(name, curves, first epoch, last epoch)` of every phase that has epochs, counted from the start of the training."""
    placed, before = [], 0
    for name, curves in phases:
        length = max((len(curve.values) for curve in curves), default=0)
        if length:
            placed.append((name, [replace(curve, first=before + 1) for curve in curves], before + 1, before + length))
            before += length
    return placed


def legend(names, phases, rivals, references, text):
    """Above the chart, a row per curve: its stroke, its name, and its value at the end of every phase."""
    width = min(COLUMN, 250 / max(1, len(phases)))
    ends = [RIGHT - width * (len(phases) - 1 - index) for index in range(len(phases))]
    small = {"size": 13, "colour": colour("muted"), "anchor": "end"}
    value = {"size": 14, "colour": colour("ink"), "anchor": "end"}
    for number, ((name, *_), end) in enumerate(zip(phases, ends), 1):
        words = shorten(name, max(6, int(LONGEST_NAME * width / COLUMN)))
        yield label(f"{number} {words}" if len(phases) > 1 else words, end, 16, **small)
    y = 38
    for name in names:
        found = [next((curve for curve in curves if curve.name == name), None) for _, curves, _, _ in phases]
        hue = next(curve.colour for curve in found if curve)
        yield path([(0, y - 4), (22, y - 4)], stroke=colour(hue), stroke_width=2.5)
        yield label(name, 30, y, size=14, colour=colour("ink"))
        for curve, end in zip(found, ends):
            if curve and len(curve.values):
                yield label(text(curve.values[-1]), end, y, **value)
        y += 21
    for curve in rivals:
        yield path([(0, y - 4), (22, y - 4)], stroke=colour(curve.colour), stroke_width=2.5)
        yield label(shorten(curve.name, 26), 30, y, size=14, colour=colour("ink"))
        yield label(f"{text(curve.values[-1])} after {count(len(curve.values), 'epoch')}", RIGHT, y, **value)
        y += 21
    for words, level in references:
        yield path([(0, y - 4), (22, y - 4)], stroke=colour("right"), stroke_width=1.5, stroke_dasharray="2 4")
        yield label(shorten(words, 40), 30, y, size=14, colour=colour("ink"))
        yield label(text(level), RIGHT, y, **value)
        y += 21


def borders(phases, epochs, across, top, bottom):
    """A tint behind every other phase, a dashed line where one ends, and their numbers above."""
    for number, (_, _, first, last) in enumerate(phases, 1):
        start, end = across(first - 0.5), across(last + 0.5)
        if number % 2 == 0:
            box = {"x": start, "y": float(top - 18), "width": end - start, "height": float(bottom - top + 18)}
            yield element("rect", fill=colour("panel"), **box)
        if last < epochs:
            yield path([(end, top - 18), (end, bottom)], stroke=colour("muted"), stroke_width=1.25, stroke_dasharray="4 3")
        yield label(str(number), (start + end) / 2, top - 5, weight=600, anchor="middle", colour=colour("muted"))


def count(number, noun):
    """As in `1 epoch`, `1,024 epochs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_words(title, phases, rivals, references, text):
    """The chart for a reader who cannot see it."""
    sentences = []
    for number, (name, curves, first, last) in enumerate(phases, 1):
        ends = ", ".join(f"{curve.name} ends at {text(curve.values[-1])}" for curve in curves if len(curve.values))
        sentences.append(f"phase {number}, {name}, epochs {first} to {last}: {ends}")
    for curve in rivals:
        sentences.append(f"{curve.name}: {text(curve.values[-1])} after {count(len(curve.values), 'epoch')}")
    sentences += [f"{words}: {text(value)}" for words, value in references]
    return f"{title} over the epochs. " + "; ".join(sentences) + "."
