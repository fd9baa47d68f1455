"""Charts of one number per layer on a logarithmic axis, such as the gradient or the update, from input to output."""

import math
from collections.abc import Iterable

from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour

WIDTH, ROW, TOP, LEFT, RIGHT = 420, 22, 52, 128, 408
LONGEST_NAME = 16


def draw_depth(
    title: str,
    rows: Iterable[tuple[str, float]],
    *,
    band: tuple[float, float] | None = None,
    band_name: str = "healthy",
    hue: str = "validation",
) -> Drawing:
    """Draws a dot for every layer.

    Arguments: `title`, what is shown; `rows` of `(name, value)` in the order of the layers, where a value that is not
    positive and finite has no dot; `band`, the `(low, high)` range of good values, which is shaded and labelled with
    `band_name`; `hue`, the name of the dots' colour.
    """
    rows = list(rows)
    good = [value for _, value in rows if math.isfinite(value) and value > 0]
    powers = [math.floor(math.log10(value)) for value in [*good, *(band or ())]]
    low, high = min(powers, default=-1), max(powers, default=0) + 1
    bottom = TOP + ROW * len(rows)

    def across(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(value) - low) / (high - low)

    parts = [label(shorten(title, 44), 0, 16, size=16, weight=600, colour=colour("ink"))]
    if band:
        x, end = across(band[0]), across(band[1])
        box = {"y": TOP - 6.0, "height": float(bottom - TOP + 6), "fill": colour("right"), "fill_opacity": 0.16}
        parts.append(element("rect", x=x, width=end - x, **box))
        parts.append(label(band_name, (x + end) / 2, TOP - 12, anchor="middle", colour=colour("muted")))
    step = max(1, math.ceil((high - low) / 6))
    for power in range(low, high + 1, step):
        x = across(10.0**power)
        parts.append(path([(x, TOP - 6), (x, bottom)], stroke=colour("line"), stroke_width=1))
        words, anchor = "1" if power == 0 else f"1e{power}", "middle" if power < high else "end"
        parts.append(label(words, x, bottom + 18, anchor=anchor, colour=colour("muted")))
    points = []
    for index, (name, value) in enumerate(rows):
        y = TOP + ROW * index + ROW / 2 - 3
        parts.append(label(shorten(name, LONGEST_NAME), LEFT - 10, y + 4.5, anchor="end", colour=colour("ink")))
        if math.isfinite(value) and value > 0:
            points.append((across(value), y, f"{name}: {value:.1e}"))
    if len(points) > 1:
        parts.append(path([(x, y) for x, y, _ in points], fill="none", stroke=colour(hue), stroke_width=1.5))
    for x, y, words in points:
        parts.append(element("circle", element("title", words), cx=x, cy=y, r=4.5, fill=colour(hue)))
    spoken = "; ".join(f"{name} {value:.1e}" for name, value in rows)
    return picture(WIDTH, bottom + 26, group(*parts), description=f"{title}: {spoken}.")


def draw_gradient_depth(rows: Iterable[tuple[str, float]]) -> Drawing:
    """Draws the size of the gradient at each layer: `rows` of `(name, root mean square of dL/dy)`, input first."""
    return draw_depth("Size of the gradient, from input to output", rows)


def draw_updates(rows: Iterable[tuple[str, float]]) -> Drawing:
    """Draws how far each layer moved in a step: `rows` of `(name, |update| / |weights|)`; 1e-4 to 1e-2 is shaded."""
    return draw_depth("Size of the update relative to the weights", rows, band=(1e-4, 1e-2), hue="accent")
