"""Chart of the loss over the learning rate, on a logarithmic axis, and the page that shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minitorch_cnn.report.axes import value_ticks
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.step_chart import power_of_ten
from minitorch_cnn.report.svg import Drawing, element, label, path, picture
from minitorch_cnn.report.theme import colour
from minitorch_cnn.training.learning_rates import LearningRates

WIDTH, HEIGHT, LEFT, RIGHT, TOP = 640, 360, 56, 630, 66
HIGHEST = 1.5  # times the first smoothed loss: what lies above is drawn at the upper edge


@dataclass(frozen=True)
class RatesPage:
    """The contents of the page."""

    title: str  # what was trained
    found: LearningRates
    subtitle: str = ""
    commands: Sequence[tuple[str, str]] = ()  # as in `Run`
    notes: Sequence[str] = ()  # as in `Run`


def write_rates_page(page: RatesPage, path: str | Path) -> Path:
    """Writes the page as one HTML file and returns its path; raises CheckpointError when it cannot be written."""
    best = page.found.suggestion
    facts = [
        ("suggested learning rate", "none" if best is None else f"{best:.2g}"),
        ("lowest loss at", f"{page.found.rates[page.found.lowest]:.2g}"),
        ("steps", str(len(page.found.rates))),
    ]
    return write_page(render("rates.html", run=page, facts=facts, chart=draw_rates(page.found)), path)


def draw_rates(found: LearningRates) -> Drawing:
    """Draws the loss of each batch and the smoothed loss over the learning rate, and where the suggestion lies."""
    bottom = HEIGHT - 34
    powers = [math.log10(rate) for rate in found.rates]
    top = HIGHEST * max(found.smoothed[: found.lowest + 1])
    ticks = value_ticks(min([*found.smoothed, *found.losses]), top)

    def across(rate: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(rate) - powers[0]) / max(powers[-1] - powers[0], 1e-9)

    def down(loss: float) -> float:
        return bottom - (bottom - TOP) * (min(loss, ticks[-1]) - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [label("Loss over the learning rate", 0, 16, size=16, weight=600, colour=colour("ink"))]
    for tick in ticks:
        parts.append(path([(LEFT, down(tick)), (RIGHT, down(tick))], stroke=colour("line"), stroke_width=1))
        parts.append(label(f"{tick:g}", LEFT - 8, down(tick) + 4.5, anchor="end", colour=colour("muted")))
    for power in range(math.ceil(powers[0] - 1e-9), math.floor(powers[-1] + 1e-9) + 1):
        x = across(10.0**power)
        parts.append(label(power_of_ten(power), x, bottom + 20, anchor="middle", colour=colour("muted")))
    for column, (name, ink) in enumerate((("each batch", "train"), ("smoothed", "validation"))):
        x = LEFT + 178.0 * column
        parts.append(path([(x, 40), (x + 22, 40)], stroke=colour(ink), stroke_width=2.5))
        parts.append(label(name, x + 30, 44.5, size=14, colour=colour("ink")))
    for values, ink, width in ((found.losses, "train", 1), (found.smoothed, "validation", 2.5)):
        places = [(across(rate), down(value)) for rate, value in zip(found.rates, values)]
        parts.append(path(places, fill="none", stroke=colour(ink), stroke_width=width, stroke_linejoin="round"))
    best = found.suggestion
    if best is not None:
        x = across(best)
        dashed = {"stroke": colour("right"), "stroke_width": 1.5, "stroke_dasharray": "4 3"}
        parts.append(element("path", element("title", f"{best:.2g}"), d=f"M{x:.1f} {TOP}V{bottom}", **dashed))
        near = x > (LEFT + RIGHT) / 2
        parts.append(label(f"suggested: {best:.2g}", x - 6 if near else x + 6, TOP + 12, size=14,
                           anchor="end" if near else "start", colour=colour("ink")))  # fmt: skip
    words = "never falls" if best is None else f"falls fast at {best:.2g}"
    lowest = found.rates[found.lowest]
    description = f"Loss over the learning rate: the smoothed loss {words} and is lowest at {lowest:.2g}."
    return picture(WIDTH, HEIGHT, *parts, description=description)
