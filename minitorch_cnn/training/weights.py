"""How much each example counts: `sample_weight` and `class_weight` of `fit`, with Keras's meaning.

    L = sum(weight_i * L_i) / N          divided by the number of examples N, not by the sum of the weights

The weights travel with the labels (`WeightedLabels`), so each batch has its own, however the examples are shuffled,
cached or shared out over processes. Only the loss and its gradient are weighted; accuracies count every example once.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minitorch_cnn.arguments import at_least_zero, shown
from minitorch_cnn.arrays import Array, on_host
from minitorch_cnn.datasets.several import Several
from minitorch_cnn.datasets.weighted_labels import WeightedLabels, parted
from minitorch_cnn.errors import ArgumentError


class SampleWeighted:
    """A loss for one batch whose examples have `weights` (n,)."""

    def __init__(self, loss: Any, weights: np.ndarray) -> None:
        self.loss, self.follows, self.weights = loss, getattr(loss, "follows", None), weights

    def value_and_gradient(self, prediction: Array, labels: Any) -> tuple[float, Array]:
        """(loss, dL/dprediction), both weighted."""
        return self.loss.value_and_gradient(prediction, labels, self.weights)

    def from_scores(self, scores: Array, labels: Any) -> tuple[float, Array]:
        """(loss, dL/dscores), both weighted."""
        return self.loss.from_scores(scores, labels, self.weights)


def apart(labels: Any, loss: Any) -> tuple[Any, Any]:
    """(labels, loss) without `WeightedLabels`: the weights of the labels go into the loss, or into each of a list."""
    labels, weights = parted(labels)
    if weights is None:
        return labels, loss
    if isinstance(loss, (list, tuple)):
        return labels, [SampleWeighted(each, weights) for each in loss]
    return labels, SampleWeighted(loss, weights)


def with_sample_weight(labels: Any, sample_weight: Any, loss: Any, model: Any, what: str) -> Any:
    """`labels` (N, ...) with `sample_weight` (N,) beside them; unchanged if it is None.

    Raises ArgumentError, which begins with `what`, for other than N numbers of at least 0, or if the loss takes none.
    """
    if sample_weight is None:
        return labels
    count = len(labels)
    try:
        weights = np.asarray(on_host(sample_weight))
    except ValueError:  # lists of several lengths
        raise ArgumentError(f"{what}: expected a number for each of the {count} examples, got lists") from None
    if weights.shape not in ((count,), (count, 1)) or weights.dtype.kind not in "fiub":
        got = f"{weights.dtype} {weights.shape}"
        raise ArgumentError(f"{what}: expected a number for each of the {count} examples, got {got}")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ArgumentError(f"{what}: expected numbers of at least 0, got {weights.min()} to {weights.max()}")
    _require_weighable(loss, what)
    return WeightedLabels(_indexable(labels), weights.reshape(count).astype(model.dtype))


def with_class_weight(labels: Any, class_weight: Any, loss: Any, model: Any) -> Any:
    """`labels`, class numbers (N,) or one-hot rows (N, K), each with the weight of its class beside it.

    `class_weight` is {class number: weight}; a class that is left out has the weight 1. ArgumentError if it is of
    another form, or if the labels name no classes.
    """
    if class_weight is None:
        return labels
    if model.outputs > 1:
        raise ArgumentError("fit: class_weight: expected a network with one output, got one with several")
    answers = np.asarray(on_host(labels))
    scores = int(np.prod(model.output_shape))
    if len(model.output_shape) > 1 or (scores > 1 and getattr(loss, "follows", None) != "softmax"):
        raise ArgumentError("fit: class_weight: expected one class for each image, which this model does not predict")
    numbers = answers.argmax(axis=1) if answers.ndim == 2 and answers.shape[1] > 1 else answers.reshape(len(answers))
    weights = _of_each_class(class_weight, max(scores, 2))
    if not np.isin(numbers, np.arange(len(weights))).all():
        raise ArgumentError(f"fit: class_weight: expected class numbers 0 to {len(weights) - 1} as labels")
    return with_sample_weight(answers, weights[numbers.astype(np.int64)], loss, model, "fit: class_weight")


def _of_each_class(class_weight, classes):
    if not isinstance(class_weight, dict):
        raise ArgumentError(f"fit: class_weight: expected {{class number: weight}}, got {shown(class_weight)}")
    weights = np.ones(classes)
    for number, weight in class_weight.items():
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not 0 <= number < classes:
            raise ArgumentError(f"fit: class_weight: expected class numbers 0 to {classes - 1}, got {shown(number)}")
        weights[number] = at_least_zero(weight, f"fit: class_weight: class {number}")
    return weights


def _require_weighable(loss, what):
    """ArgumentError unless the loss, or each of a list, takes weights; one of a user's own may not."""
    for each in loss if isinstance(loss, (list, tuple)) else [loss]:
        for name in ("value_and_gradient", "from_scores"):
            method = getattr(each, name, None)
            if method is not None and len(inspect.signature(method).parameters) < 3:
                advice = f"define {name}(prediction, labels, weights)"
                raise ArgumentError(f"{what}: {type(each).__name__}.{name} takes no weights; {advice}")


def _indexable(labels):
    return labels if isinstance(labels, Several) or hasattr(labels, "dtype") else np.asarray(labels)
