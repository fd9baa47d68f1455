"""Chart of the error of a difference quotient over the step h, on logarithmic axes: a V for a correct gradient."""

import math
from collections.abc import Callable

from minitorch_cnn.gradients.step_curves import StepCurve
from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour

WIDTH, HEIGHT, LEFT, RIGHT, TOP = 420, 270, 56, 410, 66
LOWEST, HIGHEST = -16, 1  # powers of ten on the axis of errors; values outside are drawn at its ends
INKS = {"float64": "validation", "float32": "train"}


def draw_step_curve(curve: StepCurve, *, title: str | None = None) -> Drawing:
    """Draws a chart of the errors of one number in a gradient check, in float32 and float64.

    `title` is written above the chart; it defaults to the name of the number.
    """
    bottom = HEIGHT - 34
    powers = [math.log10(step) for step in curve.steps]
    least, most = min(powers), max(powers)

    def across(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(step) - least) / max(most - least, 1)

    def down(error: float) -> float:
        power = min(max(math.log10(error) if error > 0 else LOWEST, LOWEST), HIGHEST)
        return bottom - (bottom - TOP) * (power - LOWEST) / (HIGHEST - LOWEST)

    parts = [label(shorten(title or curve.name, 38), 0, 16, size=16, weight=600, colour=colour("ink"))]
    for power in range(LOWEST, HIGHEST + 1, 4):
        y = down(10.0**power)
        parts.append(path([(LEFT, y), (RIGHT, y)], stroke=colour("line"), stroke_width=1))
        parts.append(label(power_of_ten(power), LEFT - 8, y + 4.5, anchor="end", colour=colour("muted")))
    for power in range(math.ceil(least), math.floor(most) + 1, 3):
        x = across(10.0**power)
        parts.append(label(power_of_ten(power), x, bottom + 20, anchor="middle", colour=colour("muted")))
    parts.append(label("step h", RIGHT - 16, bottom + 20, anchor="end", colour=colour("muted")))
    for row, (dtype, ink) in enumerate(INKS.items()):
        x = LEFT + 178 * row
        step, error = curve.best(dtype)
        words = f"{dtype}, best {error:.0e}" if math.isfinite(error) else dtype
        parts.append(path([(x, 40), (x + 22, 40)], stroke=colour(ink), stroke_width=2.5))
        parts.append(label(words, x + 30, 44.5, size=14, colour=colour("ink")))
        parts.append(line(curve, dtype, colour(ink), across, down))
    return picture(WIDTH, HEIGHT, *parts, description=alt_text(curve))


def power_of_ten(power: int) -> str:
    """The label of a tick, for example `1` or `1e-4`."""
    return f"1e{power}" if power else "1"


def line(
    curve: StepCurve, dtype: str, ink: str, across: Callable[[float], float], down: Callable[[float], float]
) -> Drawing:
    """Draws one curve with a dot for each step whose error is finite."""
    points = [(step, error) for step, error in zip(curve.steps, curve.errors[dtype]) if math.isfinite(error)]
    if not points:
        return group()
    places = [(across(step), down(error)) for step, error in points]
    parts = [path(places, fill="none", stroke=ink, stroke_width=2.25, stroke_linejoin="round")]
    for (step, error), (x, y) in zip(points, places):
        hint = element("title", f"{dtype}, h = {step:.0e}: error {error:.1e}")
        parts.append(element("circle", hint, cx=x, cy=y, r=3.0, fill=ink))
    return group(*parts)


def alt_text(curve: StepCurve) -> str:
    """The description of the chart for readers who cannot see it."""
    valleys = []
    for dtype in INKS:
        step, error = curve.best(dtype)
        valleys.append(f"{dtype}: smallest error {error:.0e} at h = {step:.0e}")
    return f"Error of the difference quotient over the step for {curve.name}. {'; '.join(valleys)}. {curve.verdict}."
