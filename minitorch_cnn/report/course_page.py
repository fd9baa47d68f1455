"""Builds the small pages of the course of exercises: what a finished exercise has reached, and the certificate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.report.curves import Curve, draw_curves
from minitorch_cnn.report.feature_maps import draw_feature_maps
from minitorch_cnn.report.page import render, write_page

COLOURS = ("validation", "train")
MOST_MAPS = 10


@dataclass(frozen=True)
class CoursePage:
    """The contents of a page.

    Fields: `title`; `words`, the explanation; `facts`, pairs of a name and a value; `maps`, (h, w) or (h, w, C) by
    caption; `curves`, the values of each curve by name, and `axis`, what they measure; `commands` and `notes` as in
    `Run`.
    """

    title: str
    words: str
    subtitle: str = ""
    facts: Sequence[tuple[str, str]] = ()
    maps: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    axis: str = ""
    commands: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


def write_course_page(page: CoursePage, path: str | Path) -> Path:
    """Writes the page as one HTML file and returns its path; raises CheckpointError when it cannot be written."""
    return write_page(course_page(page), path)


def course_page(page: CoursePage) -> str:
    """The page as HTML."""
    maps = {caption: np.asarray(array, float) for caption, array in page.maps.items()}
    maps = {caption: array[:, :, None] if array.ndim == 2 else array for caption, array in maps.items()}
    curves = [Curve(name, values, COLOURS[i % 2]) for i, (name, values) in enumerate(page.curves.items())]
    return render(
        "course.html",
        run=page,
        maps=draw_feature_maps(maps, most=MOST_MAPS, columns=5) if maps else "",
        chart=draw_curves(page.axis, curves) if curves else "",
    )
