"""Several views of one image, whose predictions are averaged: the errors of single views partly cancel out.

    "flip"     the image and its mirror image
    "shift"    the image, and itself moved by a pixel up and left, and down and right, the edge rows reflected

With both there are six views. A prediction then costs as many forward passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from minitorch_cnn.arguments import names_in
from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.errors import ArgumentError, ShapeError

VIEWS = ("flip", "shift")


def views(average_over: Iterable[str]) -> list[Callable[[Array], Array]]:
    """A function of images (N, H, W, C) for each view; for no names, the one that returns them unchanged.

    ArgumentError for a name that is not of `VIEWS`.
    """
    names = names_in(average_over, "predict: average_over")
    for name in names:
        if name not in VIEWS:
            raise ArgumentError(f"predict: average_over: expected names of {', '.join(VIEWS)}, got {name!r}")
    moves = [0, -1, 1] if "shift" in names else [0]
    return [_View(by, flip) for by in moves for flip in ([False, True] if "flip" in names else [False])]


class _View:
    """Images moved down and to the right by `by` pixels (1, 0 or -1), and then mirrored or not."""

    def __init__(self, by: int, flip: bool) -> None:
        self.by, self.flip = by, flip

    def __call__(self, images: Any) -> Any:
        if not self.by and not self.flip:
            return images
        if getattr(images, "ndim", 0) != 4:
            raise ShapeError(f"predict: average_over: expected images (N, H, W, C), got {type(images).__name__}")
        if self.by:
            _, H, W, _ = images.shape
            if min(H, W) < 2:
                raise ShapeError(f"predict: average_over: expected images of 2x2 pixels or more, got {H}x{W}")
            padded = namespace(images).pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
            images = padded[:, 1 - self.by : 1 - self.by + H, 1 - self.by : 1 - self.by + W]
        return namespace(images).ascontiguousarray(images[:, :, ::-1] if self.flip else images)
