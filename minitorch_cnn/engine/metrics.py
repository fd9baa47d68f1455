"""How good a prediction is, in the terms a person asks for."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, moved, namespace


def predicted_classes(prediction: Array) -> Array:
    """Class numbers (N,): the largest of several outputs, or whether a single output is above one half."""
    if prediction.ndim == 2 and prediction.shape[1] > 1:
        return prediction.argmax(axis=1)
    return (prediction.reshape(len(prediction)) > 0.5).astype("int64")


def class_probabilities(prediction: Array) -> Array:
    """(N, classes) probabilities: the prediction itself, or (1 - p, p) for a single output p."""
    if prediction.shape[1] > 1:
        return prediction
    return namespace(prediction).concatenate([1 - prediction, prediction], axis=1)


def count_correct(prediction: Any, labels: Any, kinds: Sequence[str | None] = ("class",)) -> float:
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


def right_classes(prediction: Array, labels: Array) -> Array:
    """(N,) whether each prediction names the class of its label, an array in the same library."""
    if labels.ndim == 2:
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    return predicted_classes(prediction) == labels


def confusion_matrix(truth: Any, predicted: Any, classes: int) -> np.ndarray:
    """(classes, classes) counts on the host: row = true class, column = predicted class."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (np.asarray(truth), np.asarray(predicted)), 1)
    return matrix
