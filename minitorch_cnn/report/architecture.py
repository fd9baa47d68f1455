"""Draws a network as a row of solids, each labelled with the layer's name, its class and its output shape.

The row breaks where it exceeds the width, so the same function draws three layers for a phone and VGG16 for a lecture
hall. Frozen layers are pale and hatched; if a network has some, brackets above show which layers are trained.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.volumes import Solid, draw_solid, extent, hatching, hue_of, is_sheet

FONT, LINE, GAP, MARGIN = 12.5, 16, 15, 14
LONGEST_NAME = 18


@dataclass(frozen=True)
class Cell:
    """One layer in the drawing: its solid and the lines of text below it."""

    row: LayerRow
    solid: Solid
    words: list[str]
    state: str

    @property
    def width(self) -> float:
        """The width in pixels of the solid or of the longest line, whichever is larger."""
        # A letter is about 0.6 of the font size wide; this estimate is on the large side.
        return max(self.solid.width, *(0.6 * FONT * len(word) for word in self.words))


def shape_text(shape: Sequence[int]) -> str:
    """A shape as text, for example `32×32×32` or `512`."""
    return "×".join(str(size) for size in shape)


def drawn_states(layers: Sequence[LayerRow]) -> list[str]:
    """The state in which each layer is drawn: a layer without parameters takes that of the layer before it."""
    with_parameters = [layer.state for layer in layers if layer.parameters]
    state = with_parameters[0] if with_parameters else "trained"
    states = []
    for layer in layers:
        state = layer.state if layer.parameters else state
        states.append(state)
    return states


def draw_architecture(
    layers: Sequence[LayerRow],
    input_shape: Sequence[int] | None = None,
    *,
    width: float = 880,
    image: str | None = None,
) -> Drawing:
    """Draws the network as a row of solids, from the input to the output.

    Arguments: `layers` in the order of the forward pass; `input_shape` is `(H, W, C)`, and if it is None the drawing
    starts with the first layer; the row breaks after `width` pixels; `image` is the data URI of an image to show on the
    solid of the input.
    """
    layers = list(layers)
    shapes = [tuple(layer.output_shape) for layer in layers] + ([tuple(input_shape)] if input_shape else [])
    largest = max((max(shape[:2]) for shape in shapes if len(shape) == 3), default=1)
    # The names of patterns are global within a page, so two drawings on it must not use the same name.
    key = zlib.crc32(repr((width, layers)).encode("utf-8", "replace"))

    states = drawn_states(layers)

    def row_of_cells(size: float) -> list[Cell]:
        cells = [make_cell(layer, state, largest, size, key) for layer, state in zip(layers, states)]
        if input_shape:
            row = LayerRow("input", "image", tuple(input_shape))
            cells.insert(0, make_cell(row, "input", largest, size, key, image))
        return cells

    # The largest solids that do not need an additional row.
    sizes = [width / 6.5, width / 8, width / 10] if width > 500 else [width / 4.2]
    breaks = [break_rows(row_of_cells(size), width - 2 * MARGIN) for size in sizes]
    rows = next(rows for rows in breaks if len(rows) == len(breaks[-1]))
    some_frozen = any(state != "trained" for state in states)
    patterns = [hatching(hatch_name(hue, key), hue) for hue in ("conv", "pool", "dense", "plain")]
    parts, y = [element("defs", *patterns)] if some_frozen else [], 0.0
    for index, row in enumerate(rows):
        y += 34 if some_frozen else 6
        height = max(cell.solid.height for cell in row)
        places = spread(row, width, alone=len(rows) == 1)
        parts.append(draw_row(row, places, y, height, width, first=index == 0, last=index == len(rows) - 1))
        if some_frozen:
            parts.append(mark_states(row, places, y - 14))
        y += height + 3 * LINE + 28
    return picture(width, max(y - 16, 1), *parts, description=alt_text(layers, input_shape))


def make_cell(row: LayerRow, state: str, largest: int, size: float, key: int, image: str | None = None) -> Cell:
    """The solid and the text for one layer; `largest`, `size` and `image` as in `extent` and `draw_solid`."""
    hue = hue_of(row.kind)
    hatch = None if state in ("trained", "input") else hatch_name(hue, key)
    box = extent(tuple(row.output_shape), row.kind, largest, size)
    solid = draw_solid(*box, hue, hatch=hatch, dashed=is_sheet(row.kind), image=image)
    words = [shorten(row.name, LONGEST_NAME), shorten(row.kind, LONGEST_NAME), shape_text(row.output_shape)]
    return Cell(row, solid, words, state)


def hatch_name(hue: str, key: int) -> str:
    """The identifier of the hatching pattern of one colour in the drawing with this key."""
    return f"hatch-{hue}-{key:08x}"


def break_rows(cells: Sequence[Cell], width: float) -> list[list[Cell]]:
    """Splits the cells into as few rows as fit, evenly filled, preferably with breaks before a block.

    This is dynamic programming: the best split of every shorter prefix is known, so for the first `end` cells only the
    start of the last row remains to be chosen.
    """
    best = [(0.0, 0)]
    for end in range(1, len(cells) + 1):
        choices: list[tuple[float, int]] = []
        used: float = -GAP
        for start in range(end - 1, -1, -1):
            used += cells[start].width + GAP
            if used > width and end - start > 1:
                break
            inside_block = start > 0 and not begins_block(cells[start - 1].row, cells[start].row)
            choices.append((best[start][0] + 10 + (1 - used / width) ** 2 + 0.15 * inside_block, start))
        best.append(min(choices))
    rows: list[list[Cell]] = []
    end = len(cells)
    while end:
        start = best[end][1]
        rows.insert(0, list(cells[start:end]))
        end = start
    return rows


def begins_block(before: LayerRow, layer: LayerRow) -> bool:
    """Whether a layer is the first convolution after a pool or the first dense layer after the convolutions."""
    return hue_of(layer.kind) in ("conv", "dense") and hue_of(before.kind) != hue_of(layer.kind)


def spread(row: Sequence[Cell], width: float, alone: bool) -> list[float]:
    """The left edge of each cell when the row fills the width; a single row (`alone`) is centred instead."""
    taken = sum(cell.width for cell in row)
    gap = min(56 if alone else 130, (width - 2 * MARGIN - taken) / max(1, len(row) - 1))
    x = (width - taken - gap * (len(row) - 1)) / 2 if alone else float(MARGIN)
    places = []
    for cell in row:
        places.append(x)
        x += cell.width + gap
    return places


def draw_row(
    row: Sequence[Cell], places: Sequence[float], y: float, height: float, width: float, *, first: bool, last: bool
) -> Drawing:
    """Draws one row: solids around a centre line, an arrow from each to the next, and three lines of text below."""
    middle, parts = y + height / 2, []
    edges = [(x + (cell.width - cell.solid.width) / 2, cell.solid.width) for x, cell in zip(places, row)]
    starts = [left + taken + 3 for left, taken in edges]
    ends = [left - 3 for left, _ in edges[1:]]
    if not first:
        parts.append(arrow(0, edges[0][0] - 3, middle))
    parts += [arrow(*stretch, middle) for stretch in zip(starts, ends)]
    if not last:
        parts.append(arrow(starts[-1], min(width, starts[-1] + 26), middle))
    for (left, _), x, cell in zip(edges, places, row):
        below, centre = y + height + 20, x + cell.width / 2
        name, kind, shape = cell.words
        parts.append(
            group(
                element("title", describe(cell.row)),
                group(cell.solid.drawing, transform=f"translate({left:.2f} {middle:.2f})"),
                label(name, centre, below, size=FONT, weight=600, anchor="middle", colour=colour("ink")),
                label(kind, centre, below + LINE, size=FONT, anchor="middle", colour=colour("muted")),
                label(shape, centre, below + 2 * LINE, size=FONT, anchor="middle", colour=colour("ink")),
            )
        )
    return group(*parts)


def arrow(start: float, end: float, y: float) -> Drawing:
    """Draws an arrow from one solid to the next, or nothing if they are too close together."""
    if end - start < 5:
        return Drawing("")
    shaft = path([(start, y), (end, y)], stroke=colour("muted"), stroke_width=1.25)
    return group(shaft, path([(end, y), (end - 5, y - 3), (end - 5, y + 3)], closed=True, fill=colour("muted")))


def mark_states(row: Sequence[Cell], places: Sequence[float], y: float) -> Drawing:
    """Draws brackets above the solids that show which layers are trained and which are frozen."""
    parts = []
    spans = [(cell.state, x, x + cell.width) for cell, x in zip(row, places) if cell.state != "input"]
    for state, same in groupby(spans, key=lambda span: span[0]):
        run = list(same)
        start, end = run[0][1], run[-1][2]
        ink = colour("accent" if state == "trained" else "muted")
        words = state if 0.55 * 12 * len(state) < end - start else state.split(",")[0]
        bracket = [(start, y + 5), (start, y), (end, y), (end, y + 5)]
        parts.append(path(bracket, fill="none", stroke=ink, stroke_width=1.25))
        parts.append(label(words, (start + end) / 2, y - 6, size=12, weight=600, anchor="middle", colour=ink))
    return group(*parts)


def describe(layer: LayerRow) -> str:
    """One line such as `conv2d_1: Conv2D, 3x3, same, relu, 32×32×32, 896 parameters, trained`."""
    words = [layer.kind, layer.detail, shape_text(layer.output_shape)]
    if layer.parameters:
        words += [f"{layer.parameters:,} parameters", layer.state]
    return f"{layer.name}: " + ", ".join(word for word in words if word)


def alt_text(layers: Sequence[LayerRow], input_shape: Sequence[int] | None) -> str:
    """The description of the drawing for readers who cannot see it."""
    start = f"Input {shape_text(input_shape)}. " if input_shape else ""
    return f"The network, {len(layers)} layers. {start}" + ". ".join(describe(layer) for layer in layers) + "."
