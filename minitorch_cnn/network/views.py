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


def views(average_over: Iterable[str], model: Any) -> list[Callable[[Array], Array]]:
    """A function of images (N, H, W, C) for each view; for no names, the one that returns them unchanged.

    ArgumentError for a name that is not of `VIEWS`, and for a `model` with several inputs or with outputs that are
    images, because these would be moved and mirrored like the input.
    """
    names = names_in(average_over, "predict: average_over")
    for name in names:
        if name not in VIEWS:
            raise ArgumentError(f"predict: average_over: expected names of {', '.join(VIEWS)}, got {name!r}")
    if names:
        _check_model(model)
    moves = [0, -1, 1] if "shift" in names else [0]
    return [_View(by, flip) for by in moves for flip in ([False, True] if "flip" in names else [False])]


def _check_model(model):
    if model.inputs > 1:
        raise ArgumentError("predict: average_over: expected a network with one input, got one with several")
    for layer in model.last_layers():
        if len(layer.output_shape or ()) > 1:
            got = ", ".join(map(str, layer.output_shape))
            raise ArgumentError(f"predict: average_over: expected outputs (N, K) such as classes, got (N, {got})")


class _View:
    """Images moved down and to the right by `by` pixels (1, 0 or -1), and then mirrored or not."""

    def __init__(self, by: int, flip: bool) -> None:
        self.by, self.flip = by, flip

    def __call__(self, images: Any) -> Any:
        if not self.by and not self.flip:
            return images
        if getattr(images, "ndim", 0) != 4:
            got = getattr(images, "shape", None) or type(images).__name__
            raise ShapeError(f"predict: average_over: expected images (N, H, W, C), got {got}")
        if self.by:
            _, H, W, _ = images.shape
            if min(H, W) < 2:
                raise ShapeError(f"predict: average_over: expected images of 2x2 pixels or more, got {H}x{W}")
            padded = namespace(images).pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
            images = padded[:, 1 - self.by : 1 - self.by + H, 1 - self.by : 1 - self.by + W]
        return namespace(images).ascontiguousarray(images[:, :, ::-1] if self.flip else images)
