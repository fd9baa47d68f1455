"""Calibration: of the photos that a network calls a dog with 90 % probability, nine in ten should be dogs.

The photos are sorted into bins by the probability p of the predicted class; n of N photos are in a bin, and the share a
of them was right. The expected calibration error weighs the bins by their photos (Naeini et al. 2015):

    ECE = sum over the bins of n / N |a - mean p|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report.svg import Drawing, element, group, label, path, picture
from minitorch_cnn.report.theme import colour

BINS = 10
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 350, 262, 44, 342, 30, 216


@dataclass(frozen=True)
class Bin:
    """The photos whose predicted class has a probability between `low` and `high`; means are NaN if there are none."""

    low: float
    high: float
    photos: int
    said: float  # the mean probability of the predicted class
    right: float  # the share that was right


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The bins, equally wide, from the chance level 1 / classes to 1.

    Arguments: `probabilities` (N, classes); `labels` (N,), class numbers. A probability on a border belongs to the bin
    below it. Raises ShapeError when they do not fit.
    """
    probabilities, labels = np.asarray(probabilities, float), np.asarray(labels)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or labels.shape != probabilities.shape[:1]:
        raise ShapeError(
            f"reliability: expected (N, classes) and labels (N,), got {probabilities.shape} and {labels.shape}"
        )
    said, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(1 / probabilities.shape[1], 1, bins + 1)
    place = np.clip(np.searchsorted(edges, said, side="left") - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        means = (float(said[inside].mean()), float(right[inside].mean())) if inside.any() else (np.nan, np.nan)
        found.append(Bin(float(edges[number]), float(edges[number + 1]), int(inside.sum()), *means))
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The ECE of the bins, 0 to 1; NaN without photos."""
    filled = [each for each in bins if each.photos]
    total = sum(each.photos for each in filled)
    return sum(each.photos * abs(each.right - each.said) for each in filled) / total if total else float("nan")


def draw_reliability(bins: Sequence[Bin], title: str) -> Drawing:
    """The reliability diagram: for every bin the share that was right, beside the diagonal of perfect calibration."""

    def across(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - bins[0].low) / (bins[-1].high - bins[0].low)

    def down(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * value

    small: dict[str, Any] = {"size": 13, "colour": colour("muted")}
    parts = [label(title, 0, 16, size=16, weight=600, colour=colour("ink"))]
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(path([(LEFT, down(share)), (RIGHT, down(share))], stroke=colour("line"), stroke_width=1))
        parts.append(label(f"{share:.0%}", LEFT - 6, down(share) + 4, anchor="end", **small))
    for each in bins:
        if each.photos:
            words = f"{each.low:.0%} to {each.high:.0%}: {each.photos} photos, {each.right:.1%} right"
            left, right = across(each.low) + 1, across(each.high) - 1
            height = max(1.0, BOTTOM - down(each.right))
            box: dict[str, Any] = {"x": left, "y": BOTTOM - height, "width": right - left, "height": height}
            parts.append(group(element("title", words), element("rect", fill=colour("right"), fill_opacity=0.6, **box)))
    diagonal = [(across(bins[0].low), down(bins[0].low)), (across(bins[-1].high), down(bins[-1].high))]
    parts.append(path(diagonal, stroke=colour("ink"), stroke_width=1.5, stroke_dasharray="4 3"))
    for value, anchor in ((bins[0].low, "start"), ((bins[0].low + 1) / 2, "middle"), (1.0, "end")):
        parts.append(label(f"{value:.0%}", across(value), BOTTOM + 18, anchor=anchor, **small))
    axis = "probability of the predicted class"
    parts.append(label(axis, (LEFT + RIGHT) / 2, BOTTOM + 38, anchor="middle", **small))
    spoken = "; ".join(f"{each.said:.0%} said, {each.right:.0%} right, {each.photos}" for each in bins if each.photos)
    return picture(WIDTH, HEIGHT, *parts, description=f"{title}. Probability, share right, photos: {spoken}.")
