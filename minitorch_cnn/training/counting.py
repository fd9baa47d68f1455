"""How right answers are counted while a model trains or is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.engine.metrics import right_classes


def count_correct(prediction: Any, labels: Any, kinds: Sequence[str | None]) -> float:
    """How many of the N predictions are right, as `right` counts them for each of the `kinds`.

    Several outputs have a list of predictions and one of labels; the result is the mean over those that have a kind.
    """
    predictions, answers = (prediction, labels) if isinstance(prediction, list) else ([prediction], [labels])
    counts = [
        float(right(made, moved(wanted, namespace(made)), kind).sum())
        for made, wanted, kind in zip(predictions, answers, kinds)
        if kind is not None
    ]
    return sum(counts) / max(len(counts), 1)


def right(prediction: Array, labels: Array, kind: str | None) -> Array:
    """(N,) how far each prediction is right: 0 or 1, or in between.

    `kind` is "class" if the outputs belong to classes of which one is right; "each" if each output answers yes (above
    one half) or no, and the result is the share of right answers; None if they are quantities, which are never right.
    """
    if kind is None:
        return namespace(prediction).zeros(len(prediction), dtype=prediction.dtype)
    if kind == "each":
        return ((prediction > 0.5) == (labels > 0.5)).mean(axis=1)
    return right_classes(prediction, labels)


def averages(loss: float, correct: float, images: int, kinds: Sequence[str | None]) -> dict[str, float]:
    """{"loss": mean loss, "accuracy": share of correct predictions} from sums; no accuracy if all `kinds` are None."""
    return {"loss": loss / images, **({"accuracy": correct / images} if any(kinds) else {})}
