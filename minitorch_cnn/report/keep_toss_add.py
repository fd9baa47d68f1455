"""Keep, toss, add: the surgery of transfer learning, and which layers learn in which phase.

Neighbouring layers that belong together are one block: convolutions with the pool after them, a dense layer with the
sheets before it. The blocks that stay lead to two tracks, one to the crossed-out ones that are chopped off, one to the
new ones. On a phone the three groups stand one below the other.
"""

import zlib
from itertools import groupby, takewhile

from minitorch_cnn.report.architecture import GAP, LINE, MARGIN, Cell, break_rows, draw_row, shape_text, spread
from minitorch_cnn.report.phases import count
from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.strips import STRIP_STEP, draw_strip
from minitorch_cnn.report.svg import element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.volumes import LEAN_X, Solid, draw_solid, extent, hatching, hue_of, is_sheet

# Of a block with more layers than these the first and the last are drawn.
MOST_SLABS = 5
SLAB_WIDTH = 0.34
SWITCH = 50
LONGEST_NAME = 14


def blocks_of(layers):
    """The layers in lists of neighbours that belong together: a pool or a dense layer ends a block."""
    blocks = [[]]
    for layer in layers:
        blocks[-1].append(layer)
        if hue_of(layer.kind) in ("pool", "dense"):
            blocks.append([])
    return [block for block in blocks if block]


def block_name(block):
    """What the names in a block begin with, as in `block1` of `block1_conv1` and `block1_pool`; else the last one."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(layer.name for layer in block)))
    common = "".join(letters[0] for letters in alike).rstrip("_-. ")
    return common if len(block) > 1 and len(common) > 2 else block[-1].name


def bodies_of(block):
    """The layers of a block that are drawn as bodies, not as sheets."""
    return [layer for layer in block if not is_sheet(layer.kind)]


def block_kind(block):
    """What a block is made of, as in `2 conv, pool` or `Flatten, Dense`."""
    bodies = bodies_of(block)
    if len(bodies) < 2:
        return ", ".join(layer.kind for layer in block)
    words = []
    for hue, run in groupby(bodies, key=lambda layer: hue_of(layer.kind)):
        length = len(list(run))
        word = hue if hue != "plain" else "other"
        words.append(f"{length} {word}" if length > 1 else word)
    return ", ".join(words)


def make_cell(block, largest, size, *, tossed=False):
    """A block with its solid and its words, as a `Cell` of the architecture's drawing."""
    slabs = bodies_of(block) if len(bodies_of(block)) > 1 else block
    if len(slabs) > MOST_SLABS:
        slabs = [*slabs[: MOST_SLABS - 1], slabs[-1]]
    boxes = [extent(tuple(layer.output_shape), layer.kind, largest, size) for layer in slabs]
    deepest = max(depth for _, _, depth in boxes)
    parts, x, right, height = [], 0.0, 0.0, 0.0
    for layer, (width, rows, depth) in zip(slabs, boxes):
        if len(layer.output_shape) == 3 and not is_sheet(layer.kind):
            width = max(4.0, SLAB_WIDTH * width)
        solid = draw_solid(width, rows, depth, hue_of(layer.kind), dashed=tossed or is_sheet(layer.kind))
        # In the middle of its deepest neighbour, not flush with its front.
        inward = (deepest - depth) / 2 * LEAN_X
        parts.append(group(solid.drawing, transform=f"translate({x + inward:.2f} 0)"))
        right, height = max(right, x + inward + solid.width), max(height, solid.height)
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
        phases: the `Phase`s of the training.
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
    hatch = f"frozen-{zlib.crc32(repr((width, kept, tossed, added)).encode('utf-8', 'replace')):08x}"
    draw = draw_tracks if width > 500 and groups["keep"] and (groups["toss"] or groups["add"]) else draw_stack
    parts, y, spans = draw(groups, heads, largest, width)
    y += 14
    for number, phase in enumerate(phases, 1):
        parts.append(draw_strip(number, phase, spans, y, hatch))
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

    Where the blocks are too many for that they are drawn as a stack.

    Returns:
        Its parts, its height, and `(start, end, layers)` of every block that is kept or added.
    """
    size = width / 8.5
    keep = [make_cell(block, largest, size) for block in groups["keep"]]
    tracks = {
        name: [make_cell(block, largest, 0.8 * size, tossed=name == "toss") for block in groups[name]]
        for name in ("toss", "add")
        if groups[name]
    }
    # On the right no more room than the longer track or its heading needs.
    right = max(190.0, *(natural_width(cells) + MARGIN for cells in tracks.values()))
    left = width - right - SWITCH
    if natural_width(keep) + 2 * MARGIN > left:
        return draw_stack(groups, heads, largest, width)

    parts, ends, spans, y = [], {}, {}, 22.0
    for name, cells in tracks.items():
        height = max(cell.solid.height for cell in cells)
        places = [width - right - MARGIN + place for place in spread(cells, right + MARGIN, alone=False)]
        parts.append(heading(heads[name], places[0], y))
        parts.append(draw_row(cells, places, y + 16, height, width, first=True, last=True))
        ends[name] = places[0] + (cells[0].width - cells[0].solid.width) / 2 - 3, y + 16 + height / 2
        spans[name] = [(x, x + cell.width, block) for x, cell, block in zip(places, cells, groups[name])]
        y += 16 + height + 3 * LINE + 38

    # What is kept stands halfway between the tracks, or lower if its heading would not fit above.
    height = max(cell.solid.height for cell in keep)
    middle = max(40 + height / 2, sum(level for _, level in ends.values()) / len(ends))
    places = spread(keep, left, alone=False)
    parts.append(heading(heads["keep"], places[0], middle - height / 2 - 18))
    parts.append(draw_row(keep, places, middle - height / 2, height, width, first=True, last=True))
    spans["keep"] = [(x, x + cell.width, block) for x, cell, block in zip(places, keep, groups["keep"])]

    start = places[-1] + (keep[-1].width + keep[-1].solid.width) / 2 + 3
    parts += [draw_switch(name, (start, middle), left + 10, end) for name, end in ends.items()]
    bottom = max(y - 22, middle + height / 2 + 3 * LINE + 14)
    return parts, bottom + 10, [*spans["keep"], *spans.get("add", [])]


def draw_switch(name, start, switch, end):
    """The way from the last block that is kept to one of the tracks, which parts from the other's at x = `switch`."""
    tossed = name == "toss"
    ink, (x, y) = colour("wrong" if tossed else "muted"), end
    look = {"fill": "none", "stroke": ink, "stroke_width": 1.5, "stroke_dasharray": "4 4" if tossed else None}
    way = path([start, (switch, start[1]), (switch + 16, y), end], stroke_linejoin="round", **look)
    return group(way, path([end, (x - 6, y - 3.5), (x - 6, y + 3.5)], closed=True, fill=ink))


def draw_stack(groups, heads, largest, width):
    """The narrow drawing: the groups one below the other; returns as `draw_tracks`."""
    parts, y = [], 6.0
    for name, blocks in groups.items():
        if not blocks:
            continue
        cells = [make_cell(block, largest, min(100.0, width / 4.6), tossed=name == "toss") for block in blocks]
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


def in_words(kept, tossed, added, phases, base):
    """The surgery for a reader who cannot see it."""
    sentences = []
    for what, layers in ((f"Kept from {base}", kept), ("Chopped off", tossed), ("New on top", added)):
        blocks = [
            f"{block_name(block)} ({block_kind(block)}, {shape_text(block[-1].output_shape)})"
            for block in blocks_of(layers)
        ]
        if blocks:
            sentences.append(f"{what}: {', '.join(blocks)}.")
    learners = [layer for layer in [*kept, *added] if layer.parameters]
    for number, phase in enumerate(phases, 1):
        runs = [(state, list(run)) for state, run in groupby(learners, key=phase.state_of)]
        words = [f"{' to '.join(dict.fromkeys((run[0].name, run[-1].name)))} {state}" for state, run in runs]
        sentences.append(f"Phase {number}, {phase.name}: {'; '.join(words)}.")
    return " ".join(sentences)
