"""Keep, toss, add: the surgery of transfer learning, and which layers learn in which phase.

Neighbouring layers that belong together are one block: convolutions with the pool after them, a dense layer with the
sheets before it. The blocks that stay lead to two tracks, one to the crossed-out ones that are chopped off, one to the
new ones. On a phone the three groups stand one below the other.
"""

import math
import os
import zlib
from itertools import groupby

from .architecture import GAP, LINE, MARGIN, Cell, break_rows, describe, draw_row, shape_text, spread
from .phases import count
from .run import LayerRow
from .svg import element, group, label, path, picture, shorten
from .theme import colour
from .volumes import Solid, draw_solid, extent, hatching, hue_of, is_sheet

# Of a block with more layers than these the first are drawn.
MOST_SLABS = 4
SLAB_WIDTH = 0.42
LONGEST_NAME = 14
STRIP, STRIP_STEP = 22, 56


def blocks_of(layers):
    """The layers in lists of neighbours that belong together: a pool or a dense layer ends a block."""
    blocks = [[]]
    for layer in layers:
        blocks[-1].append(layer)
        if hue_of(layer.kind) in ("pool", "dense"):
            blocks.append([])
    return [block for block in blocks if block]


def block_name(block):
    """What the names in a block have in common, as in `block1` of `block1_conv1` and `block1_pool`; else the last one."""
    common = os.path.commonprefix([layer.name for layer in block]).rstrip("_-. ")
    return common if len(block) > 1 and len(common) > 2 else block[-1].name


def block_kind(block):
    """What a block is made of, as in `2 conv, pool` or `Dense`."""
    bodies = [layer for layer in block if not is_sheet(layer.kind)]
    if len(bodies) < 2:
        return (bodies or block)[-1].kind
    words = []
    for hue, run in groupby(bodies, key=lambda layer: hue_of(layer.kind)):
        length = len(list(run))
        word = hue if hue != "plain" else "other"
        words.append(f"{length} {word}" if length > 1 else word)
    return ", ".join(words)


def make_cell(block, largest, size, *, tossed=False):
    """A block with its solid and its words, as a `Cell` of the architecture's drawing."""
    bodies = [layer for layer in block if not is_sheet(layer.kind)] or block
    parts, x, right, height = [], 0.0, 0.0, 0.0
    for layer in bodies[:MOST_SLABS]:
        width, rows, depth = extent(tuple(layer.output_shape), layer.kind, largest, size)
        width = max(4.0, SLAB_WIDTH * width) if len(layer.output_shape) == 3 else width
        solid = draw_solid(width, rows, depth, hue_of(layer.kind), dashed=tossed or is_sheet(layer.kind))
        parts.append(group(solid.drawing, transform=f"translate({x:.2f} 0)"))
        right, height = max(right, x + solid.width), max(height, solid.height)
        x += width + 2.5
    if tossed:
        reach = height / 2 + 4
        for up in (-reach, reach):
            stroke = {"stroke": colour("wrong"), "stroke_width": 2, "stroke_linecap": "round"}
            parts.append(path([(-4, up), (right + 4, -up)], **stroke))
    row = LayerRow(
        block_name(block), block_kind(block), tuple(block[-1].output_shape), sum(layer.parameters for layer in block)
    )
    words = [shorten(row.name, LONGEST_NAME), shorten(row.kind, LONGEST_NAME), shape_text(row.output_shape)]
    return Cell(row, Solid(group(*parts), right, height), words, "trained")


def draw_surgery(kept, tossed, added, phases=(), *, base="VGG16", width=880):
    """The three groups as blocks with their shapes, and a strip for every phase: what is frozen, what is trained.

    Args:
        kept, tossed, added: `LayerRow`s, each group in the order of the forward pass; any may be empty.
        phases: `(name, {layer name: state})` pairs; a layer that is not named is in the state of its row.
        base: the network that the kept and the tossed layers come from.
        width: in pixels; below 500 the groups stand one below the other.

    Returns:
        A `Drawing`.
    """
    groups = {"keep": blocks_of(kept), "toss": blocks_of(tossed), "add": blocks_of(added)}
    shapes = [tuple(layer.output_shape) for layer in [*kept, *tossed, *added]]
    largest = max((max(shape[:2]) for shape in shapes if len(shape) == 3), default=1)
    heads = {
        "keep": ("Keep", f"{count(len(kept), 'layer')} of {shorten(base, 20)}"),
        "toss": ("Toss", f"its top, {count(len(tossed), 'layer')}"),
        "add": ("Add", f"a new top, {count(len(added), 'layer')}"),
    }
    # Patterns are found by name in the whole page, so two drawings on it must not share one.
    hatch = f"frozen-{zlib.crc32(repr((width, kept, tossed, added, phases)).encode('utf-8', 'replace')):08x}"
    draw = draw_tracks if width > 500 and groups["keep"] and (groups["toss"] or groups["add"]) else draw_stack
    parts, y, spans = draw(groups, heads, largest, width)
    y += 14
    for number, (name, states) in enumerate(phases, 1):
        parts.append(draw_strip(number, name, spans, states, y, hatch))
        y += STRIP_STEP
    pattern = element("defs", hatching(hatch, "plain"))
    description = in_words(kept, tossed, added, phases, base)
    return picture(width, max(y - 4, 1), pattern, *parts, description=description)


def heading(words, x, y):
    """A group's name, and what it is."""
    name, detail = words
    return group(
        label(name, x, y, size=16, weight=700, colour=colour("ink")),
        label(detail, x + 0.62 * 16 * len(name) + 8, y, size=13, colour=colour("muted")),
    )


def natural_width(cells):
    """The pixels that a row of cells needs."""
    return sum(cell.width for cell in cells) + GAP * (len(cells) - 1)


def draw_tracks(groups, heads, largest, width):
    """The wide drawing: what is kept on the left, and on the right two tracks, the old top above, the new one below.

    Returns:
        Its parts, its height, and `(start, end, layers)` of every block that is kept or added.
    """
    size = width / 8.5
    keep = [make_cell(block, largest, size) for block in groups["keep"]]
    tracks = [
        (name, [make_cell(block, largest, 0.8 * size, tossed=name == "toss") for block in groups[name]])
        for name in ("toss", "add")
        if groups[name]
    ]
    # The heads need room too; the track beside the cut leads around it.
    right = max(190, *(natural_width(cells) + 2 * MARGIN for _, cells in tracks))
    cut = 64
    left = max(width - right - cut, 0.5 * width)
    parts, spans, y = [], {}, 22.0
    ends = []
    for name, cells in tracks:
        height = max(cell.solid.height for cell in cells)
        start = left + cut
        places = [start + place for place in spread(cells, width - start, alone=False)]
        parts.append(heading(heads[name], places[0], y))
        parts.append(draw_row(cells, places, y + 16, height, width, first=True, last=True))
        ends.append((name, places[0] + (cells[0].width - cells[0].solid.width) / 2 - 3, y + 16 + height / 2))
        spans[name] = places
        y += 16 + height + 3 * LINE + 38
    bottom = y - 22
    middle = sum(height for _, _, height in ends) / len(ends)
    height = max(cell.solid.height for cell in keep)
    places = spread(keep, left, alone=False)
    row_top = middle - height / 2
    lowest = row_top + height + 3 * LINE + 14
    if row_top < 40:
        shift = 40 - row_top
        row_top, lowest, middle = row_top + shift, lowest + shift, middle + shift
    parts.append(heading(heads["keep"], MARGIN, row_top - 18))
    parts.append(draw_row(keep, places, row_top, height, width, first=True, last=True))
    # From the last block to the cut, and from there along each track.
    last = places[-1] + (keep[-1].width + keep[-1].solid.width) / 2 + 3
    switch = left + 0.32 * cut
    for name, end, level in ends:
        tossed = name == "toss"
        look = {"fill": "none", "stroke": colour("wrong" if tossed else "muted"), "stroke_width": 1.5}
        look |= {"stroke_dasharray": "4 4"} if tossed else {}
        track = [(last, middle), (switch, middle), (switch + 16, level), (end, level)]
        parts.append(path(track, stroke_linejoin="round", **look))
        head = [(end, level), (end - 6, level - 3.5), (end - 6, level + 3.5)]
        parts.append(path(head, closed=True, fill=colour("wrong" if tossed else "muted")))
    placed = [
        (x, x + cell.width, block)
        for name, cells, xs in [("keep", keep, places), *((name, cells, spans[name]) for name, cells in tracks)]
        if name != "toss"
        for x, cell, block in zip(xs, cells, groups[name])
    ]
    return parts, max(bottom, lowest) + 10, placed


def draw_stack(groups, heads, largest, width):
    """The narrow drawing: the groups one below the other; returns as `draw_tracks`."""
    parts, y = [], 6.0
    for name, blocks in groups.items():
        if not blocks:
            continue
        cells = [make_cell(block, largest, width / 4.6, tossed=name == "toss") for block in blocks]
        y += 16
        parts.append(heading(heads[name], MARGIN, y))
        y += 14
        rows = break_rows(cells, width - 2 * MARGIN)
        for index, row in enumerate(rows):
            height = max(cell.solid.height for cell in row)
            ends = {"first": index == 0, "last": index == len(rows) - 1}
            parts.append(draw_row(row, spread(row, width, alone=len(row) < 3), y, height, width, **ends))
            y += height + 3 * LINE + 26
    staying = [*groups["keep"], *groups["add"]]
    step = (width - 2 * MARGIN) / max(1, len(staying))
    return parts, y, [(MARGIN + step * i, MARGIN + step * (i + 1), block) for i, block in enumerate(staying)]


def draw_strip(number, name, spans, states, y, hatch):
    """One phase as a strip under the blocks: filled where layers are trained, hatched where they are frozen."""
    learning = sum(
        layer.parameters for _, _, block in spans for layer in block if states.get(layer.name, layer.state) == "trained"
    )
    words = f"{number} {shorten(name, 26)}"
    parts = [
        label(words, spans[0][0] if spans else 0, y + 12, size=14, weight=600, colour=colour("ink")),
        label(
            f"{short_number(learning)} parameters learn",
            spans[-1][1] if spans else 0,
            y + 12,
            size=13,
            anchor="end",
            colour=colour("muted"),
        ),
    ]
    for state, start, end in strip_pieces(spans, states):
        trained = state == "trained"
        box = {"x": start, "y": float(y + 20), "width": end - start, "height": float(STRIP), "rx": 4}
        if trained:
            parts.append(element("rect", fill=colour("accent"), **box))
        else:
            parts.append(element("rect", fill=colour("panel"), stroke=colour("plain"), stroke_width=1, **box))
            parts.append(element("rect", fill=f"url(#{hatch})", fill_opacity=0.45, **box))
        # The longest words that fit; on the hatching they get a clean ground.
        fitting = [words for words in (state, state.split(",")[0]) if 7.6 * len(words) + 12 < end - start]
        if fitting:
            centre = (start + end) / 2
            if not trained:
                ground = {"x": centre - 3.8 * len(fitting[0]) - 6, "width": 7.6 * len(fitting[0]) + 12}
                parts.append(
                    element("rect", y=y + 22.5, height=STRIP - 5.0, rx=3, fill=colour("panel"), **ground)
                )
            ink = colour("paper" if trained else "ink")
            parts.append(label(fitting[0], centre, y + 35.5, size=13, weight=600, anchor="middle", colour=ink))
    return group(*parts)


def strip_pieces(spans, states):
    """`(state, start, end)` along a strip: a block is divided evenly among its layers with parameters."""
    pieces = []
    for start, end, block in spans:
        found = [states.get(layer.name, layer.state) for layer in block if layer.parameters]
        found = found or [pieces[-1][0] if pieces else states.get(block[0].name, block[0].state)]
        step = (end - start) / len(found)
        for index, state in enumerate(found):
            if pieces and pieces[-1][0] == state:
                pieces[-1][2] = start + step * (index + 1)
            else:
                pieces.append([state, start + step * index, start + step * (index + 1)])
    return [tuple(piece) for piece in pieces]


def short_number(number):
    """A large number in a few characters, as in `14.7 million`."""
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{number:,}"


def in_words(kept, tossed, added, phases, base):
    """The surgery for a reader who cannot see it."""
    sentences = []
    for what, layers in ((f"Kept from {base}", kept), ("Chopped off", tossed), ("New on top", added)):
        if layers:
            blocks = [f"{block_name(block)} ({block_kind(block)}, {shape_text(block[-1].output_shape)})" for block in blocks_of(layers)]
            sentences.append(f"{what}: {', '.join(blocks)}.")
    for number, (name, states) in enumerate(phases, 1):
        spans = [(i, i + 1, block) for i, block in enumerate(blocks_of(kept) + blocks_of(added))]
        words = []
        for state, run in groupby(
            ((states.get(layer.name, layer.state), layer.name) for _, _, block in spans for layer in block if layer.parameters),
            key=lambda pair: pair[0],
        ):
            names = [name for _, name in run]
            words.append(f"{names[0]} to {names[-1]} {state}" if len(names) > 1 else f"{names[0]} {state}")
        sentences.append(f"Phase {number}, {name}: {'; '.join(words)}.")
    return " ".join(sentences)
