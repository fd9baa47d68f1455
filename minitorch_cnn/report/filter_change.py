"""Draws the filters of the first layer before and after training, and the difference, magnified."""

import math
from typing import TypeAlias

import numpy as np

from minitorch_cnn.report.pictures import draw_filters
from minitorch_cnn.report.svg import Drawing, element

Panels: TypeAlias = list[tuple[str, Drawing]]  # the title of each picture and its tiles


def filter_panels(
    before: np.ndarray | None, after: np.ndarray | None = None, *, bgr: bool = False, training: str = "fine-tuning"
) -> tuple[Panels, float | None]:
    """The pictures of the filters, and the relative change ||after - before|| / ||before||.

    Arguments: the kernels `before` and `after`, `(KH, KW, 3, K)`, of which one may be None, in which case the change is
    None too; `bgr`, whether the channels of the kernels are blue, green, red (the pictures show red, green, blue);
    `training`, the name of what happened in between.
    """
    given = {"before": before, "after": after}
    kernels = {name: np.asarray(kernel, np.float32) for name, kernel in given.items() if kernel is not None}
    shown = {name: kernel[:, :, ::-1] if bgr else kernel for name, kernel in kernels.items()}
    described = "The filters of the first layer"
    panels = [
        (f"{name.title()} {training}", draw_filters(kernel, description=f"{described} {name} {training}"))
        for name, kernel in shown.items()
    ]
    if len(kernels) < 2:
        return panels, None
    difference, size = shown["after"] - shown["before"], float(np.linalg.norm(kernels["before"]))
    change = float(np.linalg.norm(difference)) / size if size else math.nan
    largest = float(np.abs(difference).max(initial=0))
    if math.isfinite(change) and largest > 0:
        scale = float(np.abs(shown["before"]).max()) / largest
        words = "What changed in the filters of the first layer"
        panels.append((f"The change, {scale:,.0f}×", draw_filters(difference, largest=largest, description=words)))
    return panels, change


def draw_filter_change(
    before: np.ndarray | None, after: np.ndarray | None, *, bgr: bool = False, training: str = "fine-tuning"
) -> Drawing:
    """Draws the pictures of `filter_panels` as HTML figures, which the CSS class `beside` places side by side."""
    panels, _ = filter_panels(before, after, bgr=bgr, training=training)
    figures = [element("figure", element("figcaption", title), tiles) for title, tiles in panels]
    return Drawing("".join(figures))
