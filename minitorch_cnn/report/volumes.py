"""Draws the output of one layer as a solid: `(H, W, C)` feature maps as a box, a vector of features as a bar.

The width of a box stands for C, its height for H and its depth for W. They are not to scale, because 224 rows and 7, or
3 channels and 512, would not fit on one page. A solid is drawn around its centre line y = 0, from x = 0 to the right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minitorch_cnn.report.svg import Drawing, element, group, path
from minitorch_cnn.report.theme import colour

# How far the back of a box is shifted to the right and up, per pixel of depth.
LEAN_X, LEAN_Y = 0.46, 0.3
HUES = {"conv": "conv", "pool": "pool", "dense": "dense", "linear": "dense"}
# Layers that only rearrange, drop or rescale their input are drawn as a thin sheet, and so are activations.
SHEETS = ("dropout", "flatten", "batchnorm", "activation", "relu", "softmax", "sigmoid", "reshape")


@dataclass(frozen=True)
class Solid:
    """A finished solid: its markup and its total width and height in pixels."""

    drawing: Drawing
    width: float
    height: float


def hue_of(kind: str) -> str:
    """The name of the colour for layers of this class."""
    return next((hue for word, hue in HUES.items() if word in kind.lower()), "plain")


def is_sheet(kind: str) -> bool:
    """Whether layers of this class are drawn as a thin sheet."""
    return any(word in kind.lower() for word in SHEETS)


def extent(shape: Sequence[int], kind: str, largest: int, size: float) -> tuple[float, float, float]:
    """The width, height and depth in pixels of the solid for one output.

    Arguments: `shape` of the output, `(H, W, C)` or `(features,)`; `kind`, the class of the layer; `largest`, the
    largest number of rows or columns of any feature map in the network; `size`, the pixels that stand for `largest`.
    """
    if len(shape) == 3:
        rows, columns, channels = shape
        # Less than proportional, so that 7 rows are still visible beside 224 and a pool is still visibly smaller.
        height, depth = (size * (length / largest) ** 0.65 for length in (rows, columns))
        width = 2.2 * math.sqrt(channels)
    else:
        height = min(1.0, 0.1 + 0.065 * math.log2(max(1, math.prod(shape)))) * size
        width, depth = 11.0, 9.0
    return (2.5 if is_sheet(kind) else max(width, 3.5)), height, depth


def hatching(identifier: str, hue: str) -> Drawing:
    """The pattern that marks frozen layers; a drawing defines it once and passes its name to `draw_solid`."""
    stroke = path([(0, 0), (0, 6)], stroke=colour(hue), stroke_width=2)
    where = {"patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    return element("pattern", stroke, id=identifier, width=6, height=6, **where)


def draw_solid(
    width: float,
    height: float,
    depth: float,
    hue: str,
    *,
    hatch: str | None = None,
    dashed: bool = False,
    image: str | None = None,
) -> Solid:
    """Draws a box seen from the front.

    Arguments: `width`, `height` and `depth` in pixels; `hue`, the name of its colour; `hatch`, the identifier of a
    `hatching`, which makes the box pale and hatched to mark it as frozen; `dashed`, for dashed outlines instead of
    filled faces; `image`, the data URI of an image to show on the side that is H high and W deep.
    """
    across, up = depth * LEAN_X, depth * LEAN_Y
    top, bottom = (up - height) / 2, (up + height) / 2
    front = [(0, top), (width, top), (width, bottom), (0, bottom)]
    lid = [(0, top), (across, top - up), (width + across, top - up), (width, top)]
    side = [(width, top), (width + across, top - up), (width + across, bottom - up), (width, bottom)]
    ink = colour(hue)
    look: dict[str, Any] = {"closed": True, "stroke_linejoin": "round", "stroke_width": 1}
    parts = []
    # The light comes from above, so the lid is lightened and the side darkened, in either theme.
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
        # The image's columns run along the slanted edge and its rows straight down: an affine map of the unit square.
        slant = f"matrix({across:.2f} {-up:.2f} 0 {height:.2f} {width:.2f} {top:.2f})"
        stretch = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated"}
        parts.append(element("image", href=image, width=1, height=1, transform=slant, **stretch))
    return Solid(group(*parts), width + across, height + up)
