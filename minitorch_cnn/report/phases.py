"""Charts of training in phases: the phases follow one another on one epoch axis, with a border between them.

A column of values for every phase, written above the lines, shows what each curve had reached at the end of the phase.
Reference values to compare with are written below.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from minitorch_cnn.files.printable import counted
from minitorch_cnn.report.axes import value_ticks
from minitorch_cnn.report.curves import LEFT, RIGHT, WIDTH, Curve, Place, Text, data_scale, grid, line, plain_text
from minitorch_cnn.report.svg import Drawing, element, label, path, picture, shorten
from minitorch_cnn.report.theme import colour

PLOT = 224
COLUMN = 148
LONGEST_NAME = 20
PlacedPhase: TypeAlias = tuple[str, list[Curve], int, int]  # name, curves, first and last epoch of the whole training
References: TypeAlias = Sequence[tuple[str, float]]


def draw_phases(
    title: str,
    phases: Sequence[tuple[str, Sequence[Curve]]],
    *,
    baseline: Curve | None = None,
    references: References = (),
    text: Text = plain_text,
) -> Drawing | None:
    """Draws a chart of curves over the epochs of all phases, or returns None when no value is finite.

    Arguments: `title`, what is measured; `phases`, `(name, curves)` pairs, where the curves of a phase start at its own
    first epoch and curves of the same name belong together; `baseline`, the curve of another training to compare with;
    `references`, `(label, value)` pairs that are drawn as horizontal lines; `text`, the function that formats a value.
    """
    placed = place_phases(phases)
    baselines = [baseline] if baseline is not None and len(baseline.values) else []
    curves = [*baselines, *(curve for _, own, _, _ in placed for curve in own)]
    finite = [float(value) for curve in curves for value in curve.values if math.isfinite(value)]
    if not finite:
        return None
    epochs = max(curve.first - 1 + len(curve.values) for curve in curves)
    names = list(dict.fromkeys(curve.name for _, own, _, _ in placed for curve in own))
    top = 42 + 21 * (len(names) + len(baselines)) + (20 if len(placed) > 1 else 0)
    bottom = top + PLOT
    levels = [float(value) for _, value in references if math.isfinite(value)]
    ticks = value_ticks(min([*finite, *levels]), max([*finite, *levels]))

    def across(epoch: float) -> float:
        place = (epoch - 1) / (epochs - 1) if epochs > 1 else 0.5
        return min(RIGHT, max(LEFT, LEFT + (RIGHT - LEFT) * place))

    def down(value: float) -> float:
        return bottom - (bottom - top) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [label(title, 0, 16, size=16, weight=600, colour=colour("ink"))]
    parts += legend(names, placed, baselines, text)
    if len(placed) > 1:
        parts += borders(placed, epochs, across, top, bottom)
    parts += grid(ticks, epochs, across, down, text)
    dotted: dict[str, Any] = {"stroke": colour("right"), "stroke_width": 1.5, "stroke_dasharray": "2 4"}
    height = bottom + 28
    for words, value in references:
        if math.isfinite(value):
            parts.append(path([(LEFT, down(value)), (RIGHT, down(value))], **dotted))
        height += 22
        parts.append(path([(LEFT, height - 12), (LEFT + 22, height - 12)], **dotted))
        parts.append(label(shorten(words, 36), LEFT + 30, height - 8, size=14, colour=colour("ink")))
        parts.append(label(text(value), RIGHT, height - 8, size=14, anchor="end", colour=colour("ink")))
    # The most important curves are drawn last, on top of the others.
    own = [curve for _, curves, _, _ in placed for curve in reversed(curves)]
    parts += [line(curve, None, text, across, down, bottom) for curve in [*baselines, *own]]
    scale = data_scale(epochs, top, bottom, ticks)
    words = alt_text(title, placed, baselines, references, text)
    return picture(WIDTH, height, *parts, description=words, data_scale=scale)


def place_phases(phases: Sequence[tuple[str, Sequence[Curve]]]) -> list[PlacedPhase]:
    """Every phase that has epochs, with its epochs numbered through the whole training."""
    placed: list[PlacedPhase] = []
    before = 0
    for name, curves in phases:
        length = max((len(curve.values) for curve in curves), default=0)
        if length:
            placed.append((name, [replace(curve, first=before + 1) for curve in curves], before + 1, before + length))
            before += length
    return placed


def legend(
    names: Sequence[str], phases: Sequence[PlacedPhase], baselines: Sequence[Curve], text: Text
) -> Iterator[Drawing]:
    """Yields the legend above the chart: one row per curve with its name and its value at the end of every phase."""
    width = min(COLUMN, 300 / max(1, len(phases)))
    ends = [RIGHT - width * (len(phases) - 1 - index) for index in range(len(phases))]
    small: dict[str, Any] = {"size": 13, "colour": colour("muted"), "anchor": "end"}
    value: dict[str, Any] = {"size": 14, "colour": colour("ink"), "anchor": "end"}
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
    for curve in baselines:
        yield path([(0, y - 4), (22, y - 4)], stroke=colour(curve.colour), stroke_width=2.5)
        yield label(shorten(curve.name, 32), 30, y, size=14, colour=colour("ink"))
        yield label(f"{text(curve.values[-1])} ({counted(len(curve.values), 'epoch')})", RIGHT, y, **value)
        y += 21


def borders(phases: Sequence[PlacedPhase], epochs: int, across: Place, top: float, bottom: float) -> Iterator[Drawing]:
    """Yields a tint behind every other phase, a dashed line at the end of each, and their numbers above."""
    for number, (_, _, first, last) in enumerate(phases, 1):
        start, end = across(first - 0.5), across(last + 0.5)
        if number % 2 == 0:
            box = {"x": start, "y": float(top - 18), "width": end - start, "height": float(bottom - top + 18)}
            yield element("rect", fill=colour("panel"), **box)
        if last < epochs:
            dashed: dict[str, Any] = {"stroke": colour("muted"), "stroke_width": 1.25, "stroke_dasharray": "4 3"}
            yield path([(end, top - 18), (end, bottom)], **dashed)
        yield label(str(number), (start + end) / 2, top - 5, weight=600, anchor="middle", colour=colour("muted"))


def alt_text(
    title: str, phases: Sequence[PlacedPhase], baselines: Sequence[Curve], references: References, text: Text
) -> str:
    """The description of the chart for readers who cannot see it."""
    sentences = []
    for number, (name, curves, first, last) in enumerate(phases, 1):
        ends = ", ".join(f"{curve.name} ends at {text(curve.values[-1])}" for curve in curves if len(curve.values))
        sentences.append(f"phase {number}, {name}, epochs {first} to {last}: {ends}")
    for curve in baselines:
        sentences.append(f"{curve.name}: {text(curve.values[-1])} after {counted(len(curve.values), 'epoch')}")
    sentences += [f"{words}: {text(value)}" for words, value in references]
    return f"{title} over the epochs. " + "; ".join(sentences) + "."
