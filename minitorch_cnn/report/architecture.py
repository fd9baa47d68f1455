"""A network as a row of solids, each labelled with its name, its class and the shape it puts out.

The row breaks where the width ends, so the same function draws three layers for a phone and VGG16 for a lecture hall.
Frozen layers are pale and hatched; when a network has some, a line above says which layers are trained.
"""

import zlib
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
    """A layer's place in the row: what is drawn, what is written below, and the width they need."""

    row: LayerRow
    solid: Solid
    words: list
    state: str

    @property
    def width(self):
        # Six tenths of the font size is a generous guess at the mean width of a letter.
        return max(self.solid.width, *(0.6 * FONT * len(word) for word in self.words))


def shape_text(shape):
    """A shape as one writes it on the board: `32×32×32`, `512`."""
    return "×".join(str(size) for size in shape)


def drawn_states(layers):
    """Each layer's state for the drawing: a layer without parameters counts to the one before it."""
    with_parameters = [layer.state for layer in layers if layer.parameters]
    state = with_parameters[0] if with_parameters else "trained"
    states = []
    for layer in layers:
        state = layer.state if layer.parameters else state
        states.append(state)
    return states


def draw_architecture(layers, input_shape=None, *, width=880, image=None):
    """The network as blocks, from the input to the output.

    Args:
        layers: `LayerRow`s in the order of the forward pass.
        input_shape: `(H, W, C)`; without it the drawing begins at the first layer.
        width: pixels after which the row breaks.
        image: a data URI of an input, shown on the input's block.

    Returns:
        A `Drawing`.
    """
    layers = list(layers)
    shapes = [tuple(layer.output_shape) for layer in layers] + ([tuple(input_shape)] if input_shape else [])
    largest = max((max(shape[:2]) for shape in shapes if len(shape) == 3), default=1)
    # Patterns are found by name in the whole page, so two drawings on it must not share one.
    key = zlib.crc32(repr((width, layers)).encode("utf-8", "replace"))

    states = drawn_states(layers)

    def row_of_cells(size):
        cells = [make_cell(layer, state, largest, size, key) for layer, state in zip(layers, states)]
        if input_shape:
            row = LayerRow("input", "image", tuple(input_shape))
            cells.insert(0, make_cell(row, "input", largest, size, key, image))
        return cells

    # As large as the solids can be without a further row.
    sizes = [width / 6.5, width / 8, width / 10] if width > 500 else [width / 4.2]
    breaks = [break_rows(row_of_cells(size), width - 2 * MARGIN) for size in sizes]
    rows = next(rows for rows in breaks if len(rows) == len(breaks[-1]))
    some_frozen = any(state != "trained" for state in states)
    patterns = [hatching(hatch_name(hue, key), hue) for hue in ("conv", "pool", "dense", "plain")]
    parts, y = [element("defs", *patterns)] if some_frozen else [], 0
    for index, row in enumerate(rows):
        y += 34 if some_frozen else 6
        height = max(cell.solid.height for cell in row)
        places = spread(row, width, alone=len(rows) == 1)
        parts.append(draw_row(row, places, y, height, width, first=index == 0, last=index == len(rows) - 1))
        if some_frozen:
            parts.append(mark_states(row, places, y - 14))
        y += height + 3 * LINE + 28
    return picture(width, max(y - 16, 1), *parts, description=in_words(layers, input_shape))


def make_cell(row, state, largest, size, key, image=None):
    """The solid and the words for one layer; arguments as in `extent` and `draw_solid`."""
    hue = hue_of(row.kind)
    hatch = None if state in ("trained", "input") else hatch_name(hue, key)
    box = extent(tuple(row.output_shape), row.kind, largest, size)
    solid = draw_solid(*box, hue, hatch=hatch, dashed=is_sheet(row.kind), image=image)
    words = [shorten(row.name, LONGEST_NAME), shorten(row.kind, LONGEST_NAME), shape_text(row.output_shape)]
    return Cell(row, solid, words, state)


def hatch_name(hue, key):
    """What the hatching in a colour is called in the drawing with this key."""
    return f"hatch-{hue}-{key:08x}"


def break_rows(cells, width):
    """The cells in as few rows as fit, evenly full, and rather broken before a new block than inside one.

    What the best rows of the first `end` cells cost is known before longer ones are looked at, so the last row is all
    there is to choose.
    """
    best = [(0.0, 0)]
    for end in range(1, len(cells) + 1):
        choices, used = [], -GAP
        for start in range(end - 1, -1, -1):
            used += cells[start].width + GAP
            if used > width and end - start > 1:
                break
            inside_block = start > 0 and not begins_block(cells[start - 1].row, cells[start].row)
            choices.append((best[start][0] + 10 + (1 - used / width) ** 2 + 0.15 * inside_block, start))
        best.append(min(choices))
    rows, end = [], len(cells)
    while end:
        start = best[end][1]
        rows.insert(0, cells[start:end])
        end = start
    return rows


def begins_block(before, layer):
    """Whether a layer is the first convolution after a pool, or the first dense layer after the convolutions."""
    return hue_of(layer.kind) in ("conv", "dense") and hue_of(before.kind) != hue_of(layer.kind)


def spread(row, width, alone):
    """The left edge of each cell in a row that fills the width; a row alone is centred and less stretched."""
    taken = sum(cell.width for cell in row)
    gap = min(56 if alone else 130, (width - 2 * MARGIN - taken) / max(1, len(row) - 1))
    x = (width - taken - gap * (len(row) - 1)) / 2 if alone else MARGIN
    places = []
    for cell in row:
        places.append(x)
        x += cell.width + gap
    return places


def draw_row(row, places, y, height, width, *, first, last):
    """One row: solids around a centre line, arrows from each to the next, three lines of text below."""
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


def arrow(start, end, y):
    """The way of the data from one solid to the next; nothing where they stand too close."""
    if end - start < 5:
        return Drawing("")
    shaft = path([(start, y), (end, y)], stroke=colour("muted"), stroke_width=1.25)
    return group(shaft, path([(end, y), (end - 5, y - 3), (end - 5, y + 3)], closed=True, fill=colour("muted")))


def mark_states(row, places, y):
    """Lines above the solids: which layers are trained, which are frozen."""
    parts = []
    spans = [(cell.state, x, x + cell.width) for cell, x in zip(row, places) if cell.state != "input"]
    for state, run in groupby(spans, key=lambda span: span[0]):
        run = list(run)
        start, end = run[0][1], run[-1][2]
        ink = colour("accent" if state == "trained" else "muted")
        words = state if 0.55 * 12 * len(state) < end - start else state.split(",")[0]
        bracket = [(start, y + 5), (start, y), (end, y), (end, y + 5)]
        parts.append(path(bracket, fill="none", stroke=ink, stroke_width=1.25))
        parts.append(label(words, (start + end) / 2, y - 6, size=12, weight=600, anchor="middle", colour=ink))
    return group(*parts)


def describe(layer):
    """One layer in a line, as in `conv2d_1: Conv2D, 3x3, same, relu, 32×32×32, 896 parameters, trained`."""
    words = [layer.kind, layer.detail, shape_text(layer.output_shape)]
    if layer.parameters:
        words += [f"{layer.parameters:,} parameters", layer.state]
    return f"{layer.name}: " + ", ".join(word for word in words if word)


def in_words(layers, input_shape):
    """The network for a reader who cannot see it."""
    start = f"Input {shape_text(input_shape)}. " if input_shape else ""
    return f"The network, {len(layers)} layers. {start}" + ". ".join(describe(layer) for layer in layers) + "."
