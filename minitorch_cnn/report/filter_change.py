"""The first layer's filters before and after a training, and what changed, magnified."""

import math

import numpy as np

from minitorch_cnn.report.pictures import draw_filters
from minitorch_cnn.report.svg import Drawing, element


def filter_panels(before, after=None, *, bgr=False, training="fine-tuning"):
    """(`(title, tiles)` for each picture, the change): ||after - before|| / ||before||, or None without both.

    Args:
        before, after: kernels `(KH, KW, 3, K)`; either may be None.
        bgr: whether the network looks at blue, green, red; the pictures show red, green, blue.
        training: what happened in between.
    """
    kernels = {"before": before, "after": after}
    kernels = {name: np.asarray(kernel, np.float32) for name, kernel in kernels.items() if kernel is not None}
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


def draw_filter_change(before, after, *, bgr=False, training="fine-tuning"):
    """The pictures of `filter_panels` as figures.

    Returns:
        A `Drawing` of HTML; the class `beside` of the pages puts figures side by side.
    """
    panels, _ = filter_panels(before, after, bgr=bgr, training=training)
    figures = [element("figure", element("figcaption", title), tiles) for title, tiles in panels]
    return Drawing("".join(figures))
