"""Keep, toss, add: draws the surgery of transfer learning, and which layers are trained in which phase.

Neighbouring layers that belong together form a block: convolutions with the pool after them, or a dense layer with the
sheets before it; in a network with branches, layers whose feature maps have the same size. Two tracks lead from the
blocks that stay, one to the crossed-out blocks that are chopped off and one to the new ones. On a phone, or if there
are too many blocks, the three groups are drawn one below the other.
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any, TypeAlias

from minitorch_cnn.files.printable import counted
from minitorch_cnn.report.architecture import GAP, LINE, MARGIN, Cell, break_rows, draw_row, shape_text, spread
from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.strips import STRIP_STEP, Span, draw_strip, learners_of
from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture, shorten
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.transfer import Phase
from minitorch_cnn.report.volumes import LEAN_X, Solid, draw_solid, extent, hatching, hue_of, is_sheet

MOST_WORDS = 3  # about the layers of a block
MANY = 8  # layers; a block with more is named after its beginning
MOST_SLABS = 5  # of a block with more layers, only the first four and the last are drawn
SLAB_WIDTH = 0.34
SWITCH = 50
LONGEST_NAME = 14
Block: TypeAlias = list[LayerRow]
Heading: TypeAlias = tuple[str, str]  # the name of a group, and a few words about it


def blocks_of(layers: Iterable[LayerRow]) -> list[Block]:
    """Splits the layers into blocks, each of which ends with a pool or a dense layer, or in a graph with its size."""
    layers = list(layers)
    if branched(layers):
        return blocks_of_one_size(layers)
    blocks: list[Block] = [[]]
    for layer in layers:
        blocks[-1].append(layer)
        if hue_of(layer.kind) in ("pool", "dense"):
            blocks.append([])
    return [block for block in blocks if block]


def branched(layers: Sequence[LayerRow]) -> bool:
    """Whether any of the layers reads several values."""
    return any(len(layer.reads or ()) > 1 for layer in layers)


def blocks_of_one_size(layers: Sequence[LayerRow]) -> list[Block]:
    """Splits where the feature maps get another height or width; a padding belongs to the layer after it.

    What has no height and width, such as the factors of a squeeze and excitation, stays with the layers before it.
    """
    blocks: list[Block] = [[]]
    current: tuple[int, ...] = ()
    waiting: Block = []  # paddings
    for layer in layers:
        if layer.kind == "ZeroPad2D":
            waiting.append(layer)
            continue
        size = tuple(layer.output_shape[:2]) if len(layer.output_shape) == 3 else (1, 1)
        if size not in (current, (1, 1)):
            blocks.append([])
            current = size
        blocks[-1] += [*waiting, layer]
        waiting = []
    blocks[-1] += waiting
    return [block for block in blocks if block]


def block_name(block: Block) -> str:
    """The common prefix of the names, for example `block1` of `block1_conv1, block1_pool`, or the last name.

    Of many layers, or with branches, it is the beginning of the first name: `conv3` of `conv3_block1_1_conv`.
    """
    if branched(block) or len(block) > MANY:
        first = next((layer.name for layer in block if layer.kind != "ZeroPad2D"), block[0].name)
        return (re.match(r"[A-Za-z]+_?\d+[a-z]?(?=_)", first) or re.match("[^_]*", first))[0]  # type: ignore[index]
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(layer.name for layer in block)))
    common = "".join(letters[0] for letters in alike).rstrip("_-. ")
    return common if len(block) > 1 and len(common) > 2 else block[-1].name


def bodies_of(block: Block) -> Block:
    """The layers of a block that are not drawn as sheets."""
    return [layer for layer in block if not is_sheet(layer.kind)]


def block_kind(block: Block) -> str:
    """What a block consists of, for example `2 conv, pool` or `Flatten, Dense`."""
    bodies = bodies_of(block)
    if len(bodies) < 2:
        return ", ".join(layer.kind for layer in block)
    words = []
    for hue, run in groupby(bodies, key=lambda layer: hue_of(layer.kind)):
        length = len(list(run))
        word = hue if hue != "plain" else "other"
        words.append(f"{length} {word}" if length > 1 else word)
    if len(words) > MOST_WORDS:
        return f"{len(block)} layers"
    return ", ".join(words)


def make_cell(block: Block, largest: int, size: float, *, tossed: bool = False) -> Cell:
    """The solid and the text for one block; a tossed block is dashed and crossed out."""
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
        # Centred in depth on the deepest slab of the block.
        inward = (deepest - depth) / 2 * LEAN_X
        parts.append(group(solid.drawing, transform=f"translate({x + inward:.2f} 0)"))
        right, height = max(right, x + inward + solid.width), max(height, solid.height)
        x += width + 2.5
    if tossed:
        reach = height / 2 + 4
        for up in (-reach, reach):
            stroke: dict[str, Any] = {"stroke": colour("wrong"), "stroke_width": 2, "stroke_linecap": "round"}
            parts.append(path([(-4, up), (right + 4, -up)], **stroke))
    row = LayerRow(
        block_name(block), block_kind(block), tuple(block[-1].output_shape), sum(layer.parameters for layer in block)
    )
    words = [shorten(row.name, LONGEST_NAME), shorten(row.kind, LONGEST_NAME), shape_text(row.output_shape)]
    return Cell(row, Solid(group(*parts), right, height), words, "trained")


def draw_surgery(
    kept: Sequence[LayerRow],
    tossed: Sequence[LayerRow],
    added: Sequence[LayerRow],
    phases: Sequence[Phase] = (),
    *,
    base: str = "VGG16",
    width: float = 880,
) -> Drawing:
    """Draws the three groups of layers as blocks, and a strip for every phase that shows what is frozen and trained.

    Arguments: `kept`, `tossed` and `added`, each in the order of the forward pass, of which any may be empty; the
    `phases` of the training; `base`, the name of the network that the kept and the tossed layers come from; `width` in
    pixels, where below 500 the groups are drawn one below the other.
    """
    groups = {"keep": blocks_of(kept), "toss": blocks_of(tossed), "add": blocks_of(added)}
    shapes = [tuple(layer.output_shape) for layer in [*kept, *tossed, *added]]
    largest = max((max(shape[:2]) for shape in shapes if len(shape) == 3), default=1)
    heads = {
        "keep": ("Keep", f"{counted(len(kept), 'layer')} of {shorten(base, 20)}"),
        "toss": ("Toss", f"its top, {counted(len(tossed), 'layer')}"),
        "add": ("Add", f"a new top, {counted(len(added), 'layer')}"),
    }
    # The names of patterns are global within a page, so two drawings on it must not use the same name.
    hatch = f"frozen-{zlib.crc32(repr((width, kept, tossed, added)).encode('utf-8', 'replace')):08x}"
    draw = draw_tracks if width > 500 and groups["keep"] and (groups["toss"] or groups["add"]) else draw_stack
    parts, y, spans = draw(groups, heads, largest, width)
    y += 14
    for number, phase in enumerate(phases, 1):
        parts.append(draw_strip(number, phase, spans, y, hatch))
        y += STRIP_STEP
    pattern = element("defs", hatching(hatch, "plain"))
    description = alt_text(kept, tossed, added, phases, base)
    return picture(width, max(y - 4, 1), pattern, *parts, description=description)


def heading(words: Heading, x: float, y: float) -> Drawing:
    """Draws the name of a group and the words about it."""
    name, detail = words
    return group(
        label(name, x, y, size=16, weight=700, colour=colour("ink")),
        label(detail, x + 0.62 * 16 * len(name) + 8, y, size=13, colour=colour("muted")),
    )


def natural_width(cells: Sequence[Cell]) -> float:
    """The pixels that a row of cells needs."""
    return sum(cell.width for cell in cells) + GAP * (len(cells) - 1)


def draw_tracks(
    groups: Mapping[str, list[Block]], heads: Mapping[str, Heading], largest: int, width: float
) -> tuple[list[Drawing], float, list[Span]]:
    """Draws the wide version: the kept blocks on the left, and on the right the old top above the new one.

    If there are too many blocks for that, they are drawn as a stack. Returns the parts of the drawing, its height, and
    the span of every block that is kept or added.
    """
    size = width / 8.5
    keep = [make_cell(block, largest, size) for block in groups["keep"]]
    tracks = {
        name: [make_cell(block, largest, 0.8 * size, tossed=name == "toss") for block in groups[name]]
        for name in ("toss", "add")
        if groups[name]
    }
    # The right side gets only as much room as the longer track or its heading needs.
    right = max(190.0, *(natural_width(cells) + MARGIN for cells in tracks.values()))
    left = width - right - SWITCH
    if natural_width(keep) + 2 * MARGIN > left:
        return draw_stack(groups, heads, largest, width)

    parts: list[Drawing] = []
    ends: dict[str, tuple[float, float]] = {}
    spans: dict[str, list[Span]] = {}
    y = 22.0
    for name, cells in tracks.items():
        height = max(cell.solid.height for cell in cells)
        places = [width - right - MARGIN + place for place in spread(cells, right + MARGIN, alone=False)]
        parts.append(heading(heads[name], places[0], y))
        parts.append(draw_row(cells, places, y + 16, height, width, first=True, last=True))
        ends[name] = places[0] + (cells[0].width - cells[0].solid.width) / 2 - 3, y + 16 + height / 2
        spans[name] = [(x, x + cell.width, block) for x, cell, block in zip(places, cells, groups[name])]
        y += 16 + height + 3 * LINE + 38

    # The kept blocks are halfway between the tracks, or lower if their heading would not fit above them.
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


def draw_switch(name: str, start: tuple[float, float], switch: float, end: tuple[float, float]) -> Drawing:
    """Draws the line from the last kept block to one of the tracks; the two lines separate at x = `switch`."""
    tossed = name == "toss"
    ink, (x, y) = colour("wrong" if tossed else "muted"), end
    look: dict[str, Any] = {"fill": "none", "stroke": ink, "stroke_dasharray": "4 4" if tossed else None}
    track = [start, (switch, start[1]), (switch + 16, y), end]
    shaft = path(track, stroke_width=1.5, stroke_linejoin="round", **look)
    return group(shaft, path([end, (x - 6, y - 3.5), (x - 6, y + 3.5)], closed=True, fill=ink))


def draw_stack(
    groups: Mapping[str, list[Block]], heads: Mapping[str, Heading], largest: int, width: float
) -> tuple[list[Drawing], float, list[Span]]:
    """Draws the narrow version, the groups one below the other; returns the same as `draw_tracks`."""
    parts: list[Drawing] = []
    y = 6.0
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


def alt_text(
    kept: Sequence[LayerRow],
    tossed: Sequence[LayerRow],
    added: Sequence[LayerRow],
    phases: Sequence[Phase],
    base: str,
) -> str:
    """The description of the drawing for readers who cannot see it."""
    sentences = []
    for what, layers in ((f"Kept from {base}", kept), ("Chopped off", tossed), ("New on top", added)):
        blocks = [
            f"{block_name(block)} ({block_kind(block)}, {shape_text(block[-1].output_shape)})"
            for block in blocks_of(layers)
        ]
        if blocks:
            sentences.append(f"{what}: {', '.join(blocks)}.")
    learners = learners_of([*kept, *added])
    for number, phase in enumerate(phases, 1):
        runs = [(state, list(run)) for state, run in groupby(learners, key=phase.state_of)]
        words = [f"{' to '.join(dict.fromkeys((run[0].name, run[-1].name)))} {state}" for state, run in runs]
        sentences.append(f"Phase {number}, {phase.name}: {'; '.join(words)}.")
    return " ".join(sentences)
