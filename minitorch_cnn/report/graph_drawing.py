"""Draws a network with branches: a line for each layer from the input down, and lanes that join what reads what.

    o  input          A value that several layers read keeps its lane until the last of them, so a residual connection
    o  conv2d_1       is a lane that runs beside its block and ends in the sum.
    |\\
    | o  conv2d_2
    |/
    +  add_1
"""

from collections import Counter
from collections.abc import Sequence

from minitorch_cnn.report.run import LayerRow
from minitorch_cnn.report.svg import Drawing, element, group, label, number, picture, shorten
from minitorch_cnn.report.theme import colour
from minitorch_cnn.report.volumes import hue_of

ROW, LANE, RADIUS, MARGIN, FONT = 24, 20, 6, 14, 12.5
SIGNS = {"Add": "+", "Subtract": "−", "Multiply": "×", "Maximum": "max", "Average": "avg", "Concatenate": "‖"}
LETTER = 0.6 * FONT  # about the width of a letter


def has_branches(layers: Sequence[LayerRow]) -> bool:
    """Whether any layer reads something else than the layer before it."""
    return any(row.reads not in (None, (place - 1,)) for place, row in enumerate(layers))


def draw_graph(
    layers: Sequence[LayerRow], input_shapes: Sequence[Sequence[int]] = (), *, width: float = 880
) -> Drawing:
    """Draws the network in `width` pixels.

    Arguments: `layers` in the order of the forward pass, each with what it `reads`: places in that list, or -1 for the
    first input, -2 for the second; `input_shapes` of these.
    """
    reads = [(place - 1,) if row.reads is None else row.reads for place, row in enumerate(layers)]
    inputs = max([len(input_shapes), *(-number for each in reads for number in each)])
    lanes = lane_of_each(reads, inputs)
    right = MARGIN + LANE * (1 + max(lanes.values()))

    def at(value: int) -> tuple[float, float]:
        row = -1 - value if value < 0 else inputs + value
        return MARGIN + LANE * lanes[value] + RADIUS, MARGIN + ROW * row + RADIUS

    lines = [joined(at(value), at(place)) for place, each in enumerate(reads) for value in dict.fromkeys(each)]
    marks = [mark(*at(-1 - place), "input", "trained") for place in range(inputs)]
    words = [line(*at(-1 - place), right, width, "input", "", shape_of(input_shapes, place)) for place in range(inputs)]
    for place, row in enumerate(layers):
        marks.append(mark(*at(place), row.kind, row.state))
        shape = "×".join(map(str, row.output_shape))
        words.append(line(*at(place), right, width, row.name, f"{row.kind} {row.detail}".strip(), shape))
    height = 2 * MARGIN + ROW * (inputs + len(layers))
    about = f"The network as a graph: {len(layers)} layers, with what each of them reads"
    return picture(width, height, group(*lines), group(*marks), *words, description=about)


def lane_of_each(reads: Sequence[Sequence[int]], inputs: int) -> dict[int, int]:
    """{value: its lane}, for the values -1, -2, ... (inputs) and 0, 1, ... (layers).

    A layer takes over the leftmost lane that ends in it; if none ends, because what it reads is read again below, it
    takes the first lane that is free.
    """
    readers = Counter(value for each in reads for value in set(each))
    lanes, taken = {-1 - place: place for place in range(inputs)}, set(range(inputs))
    for place, each in enumerate(reads):
        ended = set()
        for value in set(each):
            readers[value] -= 1
            if not readers[value]:
                ended.add(lanes[value])
        taken -= ended
        free = next(lane for lane in range(len(taken) + 1) if lane not in taken)
        lanes[place] = min(ended) if ended else free
        taken.add(lanes[place])
    return lanes


def joined(start: tuple[float, float], stop: tuple[float, float]) -> Drawing:
    """A line down the lane of `start` that turns to `stop` in the last row."""
    (x, y), (to_x, to_y) = start, stop
    turn, middle = to_y - ROW, to_y - ROW / 2
    places = [x, turn, x, middle, to_x, middle, to_x, to_y]
    curve = "M{} {}V{}C{} {} {} {} {} {}".format(*map(number, [x, y, turn, *places[2:]]))
    return element("path", d=curve, fill="none", stroke=colour("muted"), stroke_width=1.5)


def mark(x: float, y: float, kind: str, state: str) -> Drawing:
    """A dot in the colour of the layer's kind, hollow if it is frozen; what merges has its sign in it."""
    hue = colour("ink") if kind == "input" else colour(hue_of(kind))
    frozen = state != "trained"
    fill = colour("paper") if frozen else hue
    dot = element("circle", cx=float(x), cy=float(y), r=RADIUS, fill=fill, stroke=hue, stroke_width=2)
    sign = SIGNS.get(kind)
    if sign is None:
        return dot
    size = 11 if len(sign) == 1 else 6
    return group(dot, label(sign, x, y + size / 3, size=size, colour=colour("paper"), anchor="middle", weight=700))


def line(x: float, y: float, left: float, width: float, name: str, detail: str, shape: str) -> Drawing:
    """The words beside a dot: name, kind and settings where there is room, and the output's shape at the right."""
    room = int((width - MARGIN - left) / LETTER) - len(shape) - 2
    name = shorten(name, max(room, 6))
    rest = room - len(name) - 2
    parts = [label(name, left, y + FONT / 3, size=FONT, colour=colour("ink"), weight=600)]
    if detail and rest > 8:
        beside = left + LETTER * (len(name) + 2)
        parts.append(label(shorten(detail, rest), beside, y + FONT / 3, size=FONT, colour=colour("muted")))
    parts.append(label(shape, width - MARGIN, y + FONT / 3, size=FONT, colour=colour("muted"), anchor="end"))
    return group(*parts)


def shape_of(shapes: Sequence[Sequence[int]], place: int) -> str:
    """The shape of an input in words, or nothing where it isn't known."""
    return "×".join(map(str, shapes[place])) if place < len(shapes) else ""
