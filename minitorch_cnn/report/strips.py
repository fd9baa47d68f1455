"""A phase of a training as a strip below the blocks: filled where layers are trained, hatched where they are frozen."""

from minitorch_cnn.report.svg import element, group, label, shorten
from minitorch_cnn.report.theme import colour

HEIGHT, STRIP_STEP = 22, 56
LETTER = 7.6


def draw_strip(number, phase, spans, y, hatch):
    """One strip, its name and how many parameters learn above it.

    Args:
        number: which phase it is, counted from 1.
        phase: a `Phase`.
        spans: `(start, end, layers)` of the blocks from left to right, in pixels.
        y: the upper edge; the next strip is `STRIP_STEP` lower.
        hatch: the identifier of a `hatching`.
    """
    layers = [layer for _, _, block in spans for layer in block]
    start, end = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    learning = f"{short_number(phase.learning(layers))} parameters learn"
    parts = [
        label(f"{number} {shorten(phase.name, 20)}", start, y + 12, size=14, weight=600, colour=colour("ink")),
        label(learning, end, y + 12, size=13, anchor="end", colour=colour("muted")),
    ]
    parts += [draw_piece(state, *edges, y + 20, hatch) for state, *edges in pieces(spans, phase)]
    return group(*parts)


def draw_piece(state, start, end, y, hatch):
    """The part of a strip in one state, and the longest words for it that fit inside."""
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
        words = {"size": 13, "weight": 600, "anchor": "middle", "colour": colour("paper" if trained else "ink")}
        half = LETTER / 2 * len(fitting[0]) + 6
        ground = {"x": centre - half, "y": y + 2.5, "width": 2 * half, "height": HEIGHT - 5.0, "rx": 3}
        # On the hatching words need a clean ground.
        parts += [] if trained else [element("rect", fill=colour("panel"), **ground)]
        parts.append(label(fitting[0], centre, y + 15.5, **words))
    return group(*parts)


def pieces(spans, phase):
    """`(state, start, end)` along a strip; a block is divided evenly among its layers with parameters.

    A block without parameters is in the state of the one before it.
    """
    found = []
    for start, end, block in spans:
        states = [phase.state_of(layer) for layer in block if layer.parameters]
        states = states or [found[-1][0] if found else phase.state_of(block[0])]
        step = (end - start) / len(states)
        for index, state in enumerate(states):
            if found and found[-1][0] == state:
                found[-1] = (state, found[-1][1], start + step * (index + 1))
            else:
                found.append((state, start + step * index, start + step * (index + 1)))
    return found


def short_number(number):
    """A large number in a few characters, as in `14.7 million`."""
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}"
