"""One layer's output as a solid: an `(H, W, C)` feature map is a box C wide, H high and W deep, features are a bar.

The sizes hint, they do not measure: from 224 rows to 7, or from 3 channels to 512, nothing to scale would fit a page.
A solid is drawn around its centre line y = 0, from x = 0 to the right.
"""

import math
from dataclasses import dataclass

from minitorch_cnn.report.svg import Drawing, element, group, path
from minitorch_cnn.report.theme import colour

# How far the depth of a box leans to the right and up.
LEAN_X, LEAN_Y = 0.46, 0.3
HUES = {"conv": "conv", "pool": "pool", "dense": "dense", "linear": "dense"}
# What leaves the numbers in place, or only drops or rearranges them, is drawn as a sheet, not as a body.
SHEETS = ("dropout", "flatten", "batchnorm", "activation", "relu", "softmax", "sigmoid", "reshape")


@dataclass(frozen=True)
class Solid:
    """A finished solid: its markup, and the width and height of all of it in pixels."""

    drawing: Drawing
    width: float
    height: float


def hue_of(kind):
    """The name of the colour in which layers of this class are drawn."""
    return next((hue for word, hue in HUES.items() if word in kind.lower()), "plain")


def is_sheet(kind):
    """Whether layers of this class are drawn as a thin sheet."""
    return any(word in kind.lower() for word in SHEETS)


def extent(shape, kind, largest, size):
    """Width, height and depth in pixels of the box for one output.

    Args:
        shape: `(H, W, C)` or `(features,)`.
        kind: the layer's class.
        largest: the most rows or columns that any feature map of the network has.
        size: pixels for `largest`.
    """
    if len(shape) == 3:
        rows, columns, channels = shape
        # Less than proportional, so that seven rows of 224 can still be seen and a pool that halves still shows.
        height, depth = (size * (length / largest) ** 0.65 for length in (rows, columns))
        width = 2.2 * math.sqrt(channels)
    else:
        height = min(1.0, 0.1 + 0.065 * math.log2(max(1, math.prod(shape)))) * size
        width, depth = 11.0, 9.0
    return (2.5 if is_sheet(kind) else max(width, 3.5)), height, depth


def hatching(identifier, hue):
    """The pattern that marks frozen layers; a drawing defines it once and names it in `draw_solid`."""
    stroke = path([(0, 0), (0, 6)], stroke=colour(hue), stroke_width=2)
    where = {"patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    return element("pattern", stroke, id=identifier, width=6, height=6, **where)


def draw_solid(width, height, depth, hue, *, hatch=None, dashed=False, image=None):
    """A box, its front to the reader.

    Args:
        width, height, depth: in pixels.
        hue: the name of its colour.
        hatch: the identifier of a `hatching`; with it the box is pale and hatched, which means frozen.
        dashed: an outline of dashes instead of faces.
        image: a data URI shown on the side that is H high and W deep.

    Returns:
        A `Solid`.
    """
    across, up = depth * LEAN_X, depth * LEAN_Y
    top, bottom = (up - height) / 2, (up + height) / 2
    front = [(0, top), (width, top), (width, bottom), (0, bottom)]
    lid = [(0, top), (across, top - up), (width + across, top - up), (width, top)]
    side = [(width, top), (width + across, top - up), (width + across, bottom - up), (width, bottom)]
    ink = colour(hue)
    look = {"closed": True, "stroke_linejoin": "round", "stroke_width": 1}
    parts = []
    # The light comes from above: white over the lid, black over the side, whatever the page's theme.
    for face, shade in ((front, None), (lid, ("#fff", 0.32)), (side, ("#000", 0.2))):
        if dashed:
            parts.append(path(face, fill=colour("panel"), stroke=ink, stroke_dasharray="3 2", **look))
        elif hatch:
            parts.append(path(face, fill=colour("panel"), stroke=ink, **look))
            parts.append(path(face, fill=f"url(#{hatch})", fill_opacity=0.4 if face is side else 0.7, **look))
        else:
            parts.append(path(face, fill=ink, stroke=colour("panel"), **look))
            if shade:
                parts.append(path(face, fill=shade[0], fill_opacity=shade[1], closed=True))
    if image:
        # Columns run along the slanted edge and rows straight down, which is one linear map of the unit square.
        slant = f"matrix({across:.2f} {-up:.2f} 0 {height:.2f} {width:.2f} {top:.2f})"
        stretch = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated"}
        parts.append(element("image", href=image, width=1, height=1, transform=slant, **stretch))
    return Solid(group(*parts), width + across, height + up)
