"""Losses: one number for how wrong the model is, and its gradient. All are means over the batch.

A loss that `follows` an activation can be differentiated together with it, from the scores, which are the input of the
activation. That is exact for scores of any size, but the logarithm of a rounded probability is not.
"""

from typing import Any

import numpy as np

from minitorch_cnn.arguments import share
from minitorch_cnn.arrays import Array, accelerated, is_array, moved, namespace, on_host
from minitorch_cnn.errors import LabelError, ShapeError

SMALLEST_PROBABILITY = 1e-7  # as in Keras: a given probability is kept this far from 0 and 1


class Loss:
    """Base class: `value_and_gradient(prediction, labels)`, and `from_scores` in a loss that follows an activation.

    Both check the labels and then compute in `of_prediction` or `of_scores`, which use only arrays, so the loss stays
    on the device and a CUDA graph can contain it. A loss of your own only needs to define `value_and_gradient`.

    With `weights` (N,) the loss L_i of example i counts weights[i] times: L = sum(weights * L_i) / N, divided by the
    number of examples and not by the sum of the weights, as in Keras.
    """

    follows: str | None = None
    of_prediction: Any

    def value_and_gradient(self, prediction: Array, labels: Any, weights: Array | None = None) -> tuple[float, Array]:
        """(loss, dL/dprediction) for the model's prediction (N, ...)."""
        if not is_array(prediction):
            raise ShapeError(f"{type(self).__name__}: expected a prediction (N, ...), got {type(prediction).__name__}")
        given = () if weights is None else (weights,)
        loss, gradient = self.of_prediction(prediction, self.check(prediction, labels), *given)
        return float(loss), gradient

    def check(self, prediction: Array, labels: Any) -> Array:
        """The labels as an array that fits the prediction (N, ...); LabelError or ShapeError if they do not."""
        raise NotImplementedError(f"{type(self).__name__}: define check")

    def config(self) -> dict[str, Any]:
        """The constructor's arguments that are not their defaults."""
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.config().items())})"


class LossOfScores(Loss):
    """Base class of the losses that follow an activation."""

    of_scores: Any

    def from_scores(self, scores: Array, labels: Any, weights: Array | None = None) -> tuple[float, Array]:
        """(loss, dL/dscores) for the scores (N, ...) that go into the activation."""
        given = () if weights is None else (weights,)
        loss, gradient = self.of_scores(scores, self.check(scores, labels), *given)
        return float(loss), gradient


class CrossEntropy(LossOfScores):
    """-log p(correct class); labels are class numbers (N,) or rows of probabilities (N, K), for example one-hot.

    `label_smoothing` s takes the share s of each label and spreads it evenly over all K classes (Szegedy et al. 2016):
    a network that is sure beyond that gets a gradient back. Accuracy still compares with the labels as they are.
    """

    follows = "softmax"
    label_smoothing = 0.0

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = share(label_smoothing, "CrossEntropy: label_smoothing")

    def check(self, prediction: Array, labels: Any) -> Array:
        if prediction.ndim != 2 or prediction.shape[1] < 2:
            raise ShapeError(
                f"CrossEntropy: expected a model output of shape (N, classes) with two classes or more,"
                f" got {tuple(prediction.shape)}; for a single sigmoid output use BinaryCrossEntropy"
            )
        N, K = prediction.shape
        xp = namespace(prediction)
        labels = labels if hasattr(labels, "shape") else np.asarray(labels)
        if tuple(labels.shape) == (N, K):
            return self.smoothed(moved(labels, xp, prediction.dtype))
        if tuple(labels.shape) not in ((N,), (N, 1)):
            raise LabelError(f"CrossEntropy: expected labels of shape ({N},) or ({N}, {K}), got {tuple(labels.shape)}")
        if labels.dtype.kind not in "iufb":
            raise LabelError(f"CrossEntropy: expected labels that are numbers, got dtype {labels.dtype}")
        labels = on_host(labels).reshape(N)
        whole = labels.astype(np.int64)
        if (whole != labels).any() or whole.min() < 0 or whole.max() >= K:
            raise LabelError(f"CrossEntropy: expected class numbers 0 to {K - 1}, got {labels.min()} to {labels.max()}")
        one_hot = np.zeros((N, K), dtype=prediction.dtype)
        one_hot[np.arange(N), whole] = 1
        return self.smoothed(moved(one_hot, xp))

    def smoothed(self, wanted: Array) -> Array:
        """(1 - s) wanted + s / K for rows of probabilities `wanted` (N, K)."""
        s = self.label_smoothing
        return (1 - s) * wanted + s / wanted.shape[1] if s else wanted

    def config(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}

    def of_scores(self, scores: Array, wanted: Array, weights: Array | None = None) -> tuple[Any, Array]:
        """L = mean(log sum exp(scores) - score of the correct class), dscores = (softmax(scores) - one_hot) / N."""
        losses, dscores = softmax_cross_entropy(scores, weighted(wanted, weights))
        return losses.sum() / len(scores), dscores

    def of_prediction(self, prediction: Array, wanted: Array, weights: Array | None = None) -> tuple[Any, Array]:
        """L = mean(-log p), dp = -wanted / p / N."""
        xp, wanted = namespace(prediction), weighted(wanted, weights)
        p = xp.clip(prediction, SMALLEST_PROBABILITY, 1)
        return -(wanted * xp.log(p)).sum() / len(p), -wanted / p / len(p)


@accelerated
def softmax_cross_entropy(scores: Array, wanted: Array) -> tuple[Array, Array]:
    """(losses (N,), dscores (N, K)) for scores (N, K) and rows of probabilities `wanted` (N, K).

    A row's loss is sum(wanted * (log sum exp(scores) - scores)); dscores = (softmax(scores) sum(wanted) - wanted) / N.
    """
    xp = namespace(scores)
    shifted = scores - scores.max(axis=1, keepdims=True)
    e = xp.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    losses = (wanted * (xp.log(total) - shifted)).sum(axis=1)
    weight = wanted.sum(axis=1, keepdims=True)
    return losses, (e / total * weight - wanted) / len(scores)


class BinaryCrossEntropy(LossOfScores):
    """-(y log p + (1 - y) log(1 - p)), labels y in [0, 1] of the prediction's shape (N, K), or (N,) for (N, 1)."""

    follows = "sigmoid"

    def check(self, prediction: Array, labels: Any) -> Array:
        labels = _same_shape(type(self).__name__, prediction, labels)
        if not ((labels >= 0) & (labels <= 1)).all():
            raise LabelError(
                f"BinaryCrossEntropy: expected labels between 0 and 1, got {labels.min()} to {labels.max()}"
            )
        return moved(labels, namespace(prediction))

    def of_scores(self, scores: Array, y: Array, weights: Array | None = None) -> tuple[Any, Array]:
        """L = mean(max(s, 0) - s y + log(1 + exp(-|s|))), dscores = (sigmoid(s) - y) / count."""
        xp = namespace(scores)
        small = xp.exp(-xp.abs(scores))
        losses = xp.maximum(scores, 0) - scores * y + xp.log1p(small)
        probability = xp.where(scores >= 0, 1 / (1 + small), small / (1 + small))
        return weighted(losses, weights).sum() / scores.size, weighted(probability - y, weights) / scores.size

    def of_prediction(self, prediction: Array, y: Array, weights: Array | None = None) -> tuple[Any, Array]:
        """L = mean(-(y log p + (1 - y) log(1 - p))), dp = ((1 - y) / (1 - p) - y / p) / count."""
        xp = namespace(prediction)
        p = xp.clip(prediction, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        losses = -(y * xp.log(p) + (1 - y) * xp.log(1 - p))
        return weighted(losses, weights).sum() / p.size, weighted((1 - y) / (1 - p) - y / p, weights) / p.size


class MeanSquaredError(Loss):
    """mean((prediction - label)^2) over all elements; labels of the prediction's shape, or (N,) for (N, 1)."""

    def check(self, prediction: Array, labels: Any) -> Array:
        return moved(_same_shape(type(self).__name__, prediction, labels), namespace(prediction))

    def of_prediction(self, prediction: Array, labels: Array, weights: Array | None = None) -> tuple[Any, Array]:
        """dprediction = 2 (prediction - label) / count."""
        difference = prediction - labels
        loss = weighted(difference * difference, weights).sum() / difference.size
        return loss, weighted(2 * difference, weights) / difference.size


def weighted(array: Array, weights: Array | None) -> Array:
    """`array` (N, ...) with each example's numbers times its weight; without weights the array itself."""
    if weights is None:
        return array
    weights = moved(weights, namespace(array), array.dtype)
    if weights.shape != (len(array),):
        raise ShapeError(f"weights: expected one for each of the {len(array)} examples, got {tuple(weights.shape)}")
    return array * weights.reshape(-1, *[1] * (array.ndim - 1))


LOSSES = {loss.__name__: loss for loss in (CrossEntropy, BinaryCrossEntropy, MeanSquaredError)}


def _same_shape(name, prediction, labels):
    """The labels in the prediction's dtype and shape, on the host, where checking them waits for no GPU."""
    labels = np.asarray(on_host(labels))
    if labels.dtype.kind not in "iufb":
        raise LabelError(f"{name}: expected labels that are numbers, got dtype {labels.dtype}")
    labels = labels.astype(prediction.dtype, copy=False)
    if labels.shape == prediction.shape:
        return labels
    if labels.ndim == 1 and prediction.shape == (len(labels), 1):
        return labels[:, None]
    raise LabelError(f"{name}: expected labels of shape {tuple(prediction.shape)}, got {tuple(labels.shape)}")
