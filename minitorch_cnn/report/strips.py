"""Draws a phase of training as a strip: filled where layers are trained, hatched where they are frozen."""

from collections.abc import Sequence
from typing import TypeAlias

from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.svg import Drawing, element, group, label, shorten
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.transfer import Phase

Span: TypeAlias = tuple[float, float, Sequence[LayerRow]]  # the left and right edge of a block in pixels, its layers

HEIGHT, STRIP_STEP = 22, 56
LETTER = 7.6


def draw_strip(number: int, phase: Phase, spans: Sequence[Span], y: float, hatch: str) -> Drawing:
    """Draws one strip with the phase's name and number of trained parameters above it.

    Arguments: `number` of the phase, counted from 1; `spans` of the blocks from left to right; `y`, the upper edge (the
    next strip is `STRIP_STEP` pixels lower); `hatch`, the identifier of a `hatching`.
    """
    layers = [layer for _, _, block in spans for layer in block]
    start, end = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    trained = f"trains {short_number(phase.trained_parameters(layers))} parameters"
    room = int((end - start) / LETTER - len(trained) - 3)  # letters of the name for which there is room beside it
    name = shorten(phase.name, min(20, max(1, room)))
    parts = [
        label(f"{number} {name}", start, y + 12, size=14, weight=600, colour=colour("ink")),
        label(trained, end, y + 12, size=13, anchor="end", colour=colour("muted")),
    ]
    parts += [draw_piece(state, left, right, y + 20, hatch) for state, left, right in pieces(spans, phase)]
    return group(*parts)


def draw_piece(state: str, start: float, end: float, y: float, hatch: str) -> Drawing:
    """Draws the part of a strip that is in one state, with the name of the state if it fits inside."""
    box = {"x": float(start), "y": float(y), "width": float(end - start), "height": float(HEIGHT), "rx": 4}
    trained, centre = state == "trained", (start + end) / 2
    if trained:
        parts = [element("rect", fill=colour("accent"), **box)]
    else:
        parts = [
            element("rect", fill=colour("panel"), stroke=colour("plain"), stroke_width=1, **box),
            element("rect", fill=f"url(#{hatch})", fill_opacity=0.45, **box),
        ]
    fitting = [words for words in (state, state.split(",")[0]) if LETTER * len(words) + 12 < end - start]
    if fitting:
        ink = colour("paper" if trained else "ink")
        half = LETTER / 2 * len(fitting[0]) + 6
        ground = {"x": centre - half, "y": y + 2.5, "width": 2 * half, "height": HEIGHT - 5.0, "rx": 3}
        # Text on top of the hatching needs a plain background.
        parts += [] if trained else [element("rect", fill=colour("panel"), **ground)]
        parts.append(label(fitting[0], centre, y + 15.5, size=13, weight=600, anchor="middle", colour=ink))
    return group(*parts)


def pieces(spans: Sequence[Span], phase: Phase) -> list[tuple[str, float, float]]:
    """`(state, start, end)` for each stretch of a strip, from left to right.

    A block is divided evenly among its layers that have parameters, without batch norms beside others. A block without
    parameters takes the state of the block before it.
    """
    found: list[tuple[str, float, float]] = []
    for start, end, block in spans:
        states = [phase.state_of(layer) for layer in learners_of(block)]
        states = states or [found[-1][0] if found else phase.state_of(block[0])]
        step = (end - start) / len(states)
        for index, state in enumerate(states):
            if found and found[-1][0] == state:
                found[-1] = (state, found[-1][1], start + step * (index + 1))
            else:
                found.append((state, start + step * index, start + step * (index + 1)))
    return found


def learners_of(layers: Sequence[LayerRow]) -> list[LayerRow]:
    """The layers with parameters; without batch norms, which may be frozen between layers that are not."""
    found = [layer for layer in layers if layer.parameters]
    return [layer for layer in found if layer.kind != "BatchNorm"] or found


def short_number(number: int) -> str:
    """A number as text, in a short form if it is large, for example `14.7 million`."""
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}"
