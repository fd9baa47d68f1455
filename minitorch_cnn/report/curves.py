"""Charts of curves over the epochs: loss, accuracy, learning rate, seconds.

The final and the best value of each curve are written above the lines, because they are hard to read off. An epoch
whose value is not finite (NaN, infinity) leaves a gap in the line and a small cross on the axis.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minitorch_cnn.report.axes import epoch_ticks, value_ticks
from minitorch_cnn.report.run import History
from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture
from minitorch_cnn.report.theme import colour

WIDTH, LEFT, RIGHT = 420, 48, 410
FINAL_COLUMN = 266
MOST_TOOLTIPS = 200
Text: TypeAlias = Callable[[float], str]  # formats a value
Place: TypeAlias = Callable[[float], float]  # converts an epoch or a value to pixels
Best: TypeAlias = Callable[[Iterable[float]], float]  # min or max


@dataclass(frozen=True)
class Curve:
    """One line of a chart: a name, a number per epoch, the name of its colour, and the number of its first epoch."""

    name: str
    values: Sequence[float]
    colour: str = "validation"
    first: int = 1


def plain_text(value: float) -> str:
    """A value with four significant digits, for example `0.0005`."""
    return f"{value:.4g}".replace("nan", "NaN")


def loss_text(value: float) -> str:
    """A value with four decimals, for example `0.6813`, or with four significant digits if it is small."""
    return f"{value:.4f}" if 0.01 <= abs(value) < math.inf else plain_text(value)


def percent_text(value: float) -> str:
    """A share, 0 to 1, as a percentage, for example `78.12%`."""
    return f"{100 * value:.2f}%" if math.isfinite(value) else plain_text(value)


def duration_text(seconds: float) -> str:
    """A duration in a suitable unit, for example `48 s`, `12.5 min` or `2.1 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def draw_curves(
    title: str, curves: Sequence[Curve], *, best: Best | None = None, text: Text = plain_text, height: int = 280
) -> Drawing:
    """Draws a chart of curves over the same epochs.

    Arguments: `title`, what is measured; `curves`, which start at epoch 1; `best`, `min` or `max`, to put a ring around
    the best value and write it out; `text`, the function that formats a value; `height` in pixels at a width of 420.
    If no value is finite, the chart says so.
    """
    epochs = max((len(curve.values) for curve in curves), default=0)
    finite = [float(value) for curve in curves for value in curve.values if math.isfinite(value)]
    top, bottom = 42 + (21 * len(curves) if len(curves) > 1 or best else 0), height - 28
    # With a single epoch the axis starts at zero, so that the height of the dot means something.
    lowest = min([*finite, 0.0] if epochs == 1 else finite, default=0.0)
    ticks = value_ticks(lowest, max(finite, default=1.0), count=max(2, (bottom - top) // 42))

    def across(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * ((epoch - 1) / (epochs - 1) if epochs > 1 else 0.5)

    def down(value: float) -> float:
        return bottom - (bottom - top) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [label(title, 0, 16, size=16, weight=600, colour=colour("ink"))]
    parts += legend(curves, best, text)
    if finite:
        parts += grid(ticks, epochs, across, down, text)
        parts += [line(curve, best, text, across, down, bottom) for curve in curves]
    else:
        height = top + 30
        parts.append(label("No epoch has a finite value.", 0, top + 14, size=14, colour=colour("muted")))
    scale = data_scale(epochs, top, bottom, ticks) if finite else None
    return picture(WIDTH, height, *parts, description=alt_text(title, curves, best, text), data_scale=scale)


def data_scale(epochs: int, top: float, bottom: float, ticks: Sequence[float]) -> str:
    """The axes of a chart for the script of a page: left, right, epochs, top, bottom, lowest and highest value."""
    return f"{LEFT} {RIGHT} {epochs} {top} {bottom} {ticks[0]!r} {ticks[-1]!r}"


def best_epoch(values: Sequence[float], best: Best | None) -> int | None:
    """The first epoch (counted from 1) with the best finite value, or None."""
    finite = [(value, epoch) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
    if not finite or best is None:
        return None
    winner = best(value for value, _ in finite)
    return next(epoch for value, epoch in finite if value == winner)


def legend(curves: Sequence[Curve], best: Best | None, text: Text) -> Iterator[Drawing]:
    """Yields the legend above the chart: one row per curve with its stroke, its name, its final and its best value."""
    small: dict[str, Any] = {"size": 13, "colour": colour("muted")}
    yield label("final", FINAL_COLUMN, 16, anchor="end", **small)
    if len(curves) == 1 and not best:
        # A single curve needs no name, because the title names it.
        if len(curves[0].values):
            yield label(text(curves[0].values[-1]), FINAL_COLUMN + 8, 16, size=14, colour=colour("ink"))
        return
    if best:
        yield label("best", RIGHT, 16, anchor="end", **small)
    for row, curve in enumerate(curves):
        y = 38 + 21 * row
        yield path([(0, y - 4), (22, y - 4)], stroke=colour(curve.colour), stroke_width=2.5)
        yield label(curve.name, 30, y, size=14, colour=colour("ink"))
        if len(curve.values):
            yield label(text(curve.values[-1]), FINAL_COLUMN, y, size=14, anchor="end", colour=colour("ink"))
        if epoch := best_epoch(curve.values, best):
            words = f"{text(curve.values[epoch - 1])} (epoch {epoch})"
            yield label(words, RIGHT, y, size=14, anchor="end", colour=colour("ink"))


def grid(ticks: Sequence[float], epochs: int, across: Place, down: Place, text: Text) -> Iterator[Drawing]:
    """Yields thin horizontal lines with their values, and the epochs below them."""
    for tick in ticks:
        y = down(tick)
        yield path([(LEFT, y), (RIGHT, y)], stroke=colour("line"), stroke_width=1)
        words = f"{round(100 * tick, 6):g}%" if text is percent_text else f"{tick:g}"
        yield label(words, LEFT - 8, y + 4.5, anchor="end", colour=colour("muted"))
    bottom = down(ticks[0])
    yield label("epoch", 0, bottom + 20, colour=colour("muted"))
    for epoch in epoch_ticks(epochs):
        yield label(str(epoch), across(epoch), bottom + 20, anchor="middle", colour=colour("muted"))


def line(curve: Curve, best: Best | None, text: Text, across: Place, down: Place, bottom: float) -> Drawing:
    """Draws one curve: a line for every unbroken stretch, a dot at the end, a ring at the best, crosses for gaps."""
    points = list(enumerate(curve.values, curve.first))
    stretches: list[list[tuple[float, float]]] = [[]]
    gaps = []
    for epoch, value in points:
        if math.isfinite(value):
            stretches[-1].append((across(epoch), down(value)))
        else:
            gaps.append(epoch)
            stretches.append([])
    ink = colour(curve.colour)
    stroke: dict[str, Any] = {"fill": "none", "stroke": ink, "stroke_width": 2.25}
    stroke |= {"stroke_linejoin": "round", "stroke_linecap": "round"}
    # A stretch of one epoch is drawn as a line from the point to itself, which round caps make visible.
    parts = [path(stretch if len(stretch) > 1 else stretch * 2, **stroke) for stretch in stretches if stretch]
    if winner := best_epoch(curve.values, best):
        x, y = across(winner + curve.first - 1), down(curve.values[winner - 1])
        parts.append(element("circle", cx=x, cy=y, r=5.5, fill=colour("paper"), stroke=ink, stroke_width=2))
    if points and math.isfinite(points[-1][1]):
        parts.append(element("circle", cx=across(points[-1][0]), cy=down(points[-1][1]), r=3.0, fill=ink))
    for epoch in gaps:
        x = across(epoch)
        cross = f"M{x - 4:.1f} {bottom - 4}l8 8m0 -8l-8 8"
        parts.append(element("path", hint(curve, epoch, text), d=cross, stroke=colour("wrong"), stroke_width=2))
    if len(points) <= MOST_TOOLTIPS:
        for epoch, value in points:
            if math.isfinite(value):
                spot = {"cx": across(epoch), "cy": down(value), "r": 7, "fill": "transparent"}
                parts.append(element("circle", hint(curve, epoch, text), **spot))
    # What the script of a page needs to read the curve at an epoch; `picture` gets the scale of the axes.
    words = " ".join(text(value) for value in curve.values)
    return group(*parts, data_name=curve.name, data_first=curve.first, data_words=words)


def hint(curve: Curve, epoch: int, text: Text) -> Drawing:
    """The tooltip of one epoch."""
    return element("title", f"{curve.name}, epoch {epoch}: {text(curve.values[epoch - curve.first])}")


def alt_text(title: str, curves: Sequence[Curve], best: Best | None, text: Text) -> str:
    """The description of the chart for readers who cannot see it."""
    words = []
    for curve in curves:
        if len(curve.values):
            words.append(f"{curve.name} ends at {text(curve.values[-1])} after {len(curve.values)} epochs")
            if epoch := best_epoch(curve.values, best):
                words[-1] += f", best {text(curve.values[epoch - 1])} at epoch {epoch}"
    return f"{title} over the epochs. " + "; ".join(words) + "."


def draw_history(history: History) -> list[Drawing]:
    """Draws a chart of the loss and one of the accuracy, each with the training and the validation curve.

    `history` has one number per epoch under `loss`, `val_loss`, `accuracy` and `val_accuracy`, of which any may be
    missing. The list is empty when there is nothing to draw.
    """
    charts: list[tuple[str, str, Best, Text]] = [
        ("Loss", "loss", min, loss_text),
        ("Accuracy", "accuracy", max, percent_text),
    ]
    drawings = []
    for title, key, best, text in charts:
        pairs = (("training", key, "train"), ("validation", f"val_{key}", "validation"))
        curves = [Curve(name, history[name_of], ink) for name, name_of, ink in pairs if len(history.get(name_of, ()))]
        if curves:
            drawings.append(draw_curves(title, curves, best=best, text=text))
    return drawings


def draw_schedule(history: History) -> list[Drawing]:
    """Draws small charts of the learning rate and the seconds per epoch, as far as the history has them."""
    charts = (("Learning rate", "learning_rate"), ("Seconds per epoch", "seconds"))
    return [
        draw_curves(title, [Curve(title, history[key], "train")], height=150)
        for title, key in charts
        if len(history.get(key, ()))
    ]
