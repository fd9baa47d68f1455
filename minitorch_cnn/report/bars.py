"""Horizontal bars: one share, 0 to 1, for every name."""

import math
from collections.abc import Sequence

from minitorch_cnn.report.svg import Drawing, element, group, label, picture, shorten
from minitorch_cnn.report.theme import colour

WIDTH, ROW, BAR_START, BAR_END = 350, 26, 116, 240
LONGEST_NAME = 14


def draw_bars(rows: Sequence[tuple[str, float, str]], *, description: str, hue: str = "right") -> Drawing:
    """Draws a bar for every row.

    Arguments: `rows` of `(name, share, text)`, where the share, 0 to 1, is the length of the bar (NaN draws no bar) and
    the text is written after it; `description`, the alternative text; `hue`, the name of the bars' colour.
    """
    parts, ink = [], colour(hue)
    for index, (name, share, text) in enumerate(rows):
        y, full = float(ROW * index + 4), float(BAR_END - BAR_START)
        track = {"x": float(BAR_START), "y": y + 2, "height": 13, "rx": 2}
        parts.append(
            group(
                element("title", f"{name}: {text}"),
                label(shorten(name, LONGEST_NAME), BAR_START - 8, y + 13, size=14, anchor="end", colour=colour("ink")),
                element("rect", width=full, fill=colour("line"), fill_opacity=0.55, **track),
                # Zero is drawn as a thin bar, because a row without a bar means that nothing was measured.
                *([element("rect", width=max(1.5, full * share), fill=ink, **track)] if math.isfinite(share) else []),
                label(text, WIDTH - 2, y + 13, size=14, anchor="end", colour=colour("muted")),
            )
        )
    spoken = "; ".join(f"{name} {text}" for name, _, text in rows)
    return picture(WIDTH, ROW * len(rows) + 4, *parts, description=f"{description}: {spoken}.")
