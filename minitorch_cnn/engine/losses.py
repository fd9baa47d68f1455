"""Losses: one number for how wrong the model is, and its gradient. All are means over the batch.

A loss that `follows` an activation can be differentiated together with it, from the scores that went into it: the
result is exact for scores of any size, where taking the logarithm of a rounded probability is not.
"""

import numpy as np

from minitorch_cnn.arrays import accelerated, moved, namespace, on_host
from minitorch_cnn.errors import LabelError, ShapeError

SMALLEST_PROBABILITY = 1e-7  # as in Keras: a given probability is kept this far from 0 and 1


class Loss:
    """Base: `value_and_gradient(prediction, labels)`, and `from_scores(scores, labels)` if it follows an activation.

    Both check the labels and then compute with arrays alone, in `of_prediction` and `of_scores`, whose loss stays on
    the device: what a CUDA graph can hold. A loss of one's own needs no more than `value_and_gradient`.
    """

    follows = None

    def value_and_gradient(self, prediction, labels):
        """(loss, dL/dprediction) for what the model's last layer put out."""
        loss, gradient = self.of_prediction(prediction, self.check(prediction, labels))
        return float(loss), gradient

    def check(self, prediction, labels):
        """Labels as an array that fits the prediction (N, ...), on its device; LabelError or ShapeError otherwise."""
        raise NotImplementedError

    def __repr__(self):
        return f"{type(self).__name__}()"


class LossOfScores(Loss):
    """Base of those that follow an activation."""

    def from_scores(self, scores, labels):
        """(loss, dL/dscores) for the scores that go into the activation."""
        loss, gradient = self.of_scores(scores, self.check(scores, labels))
        return float(loss), gradient


class CrossEntropy(LossOfScores):
    """-log p(right class), for labels that are class numbers (N,) or rows of probabilities, one-hot or not (N, K)."""

    follows = "softmax"

    def check(self, prediction, labels):
        if prediction.ndim != 2 or prediction.shape[1] < 2:
            raise ShapeError(
                f"CrossEntropy: expected a model output of shape (N, classes) with two classes or more,"
                f" got {tuple(prediction.shape)}; a single sigmoid output wants BinaryCrossEntropy"
            )
        N, K = prediction.shape
        xp = namespace(prediction)
        labels = labels if hasattr(labels, "shape") else np.asarray(labels)
        if tuple(labels.shape) == (N, K):
            return moved(labels, xp, prediction.dtype)
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
        return moved(one_hot, xp)

    def of_scores(self, scores, wanted):
        """L = mean(log sum exp(scores) - score of the right class), dscores = (softmax(scores) - one_hot) / N."""
        losses, dscores = softmax_cross_entropy(scores, wanted)
        return losses.sum() / len(scores), dscores

    def of_prediction(self, prediction, wanted):
        """L = mean(-log p), dp = -wanted / p / N."""
        xp = namespace(prediction)
        p = xp.clip(prediction, SMALLEST_PROBABILITY, 1)
        return -(wanted * xp.log(p)).sum() / len(p), -wanted / p / len(p)


@accelerated
def softmax_cross_entropy(scores, wanted):
    """(losses (N,), dscores (N, K)) of scores (N, K) and rows of probabilities `wanted` (N, K).

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

    def check(self, prediction, labels):
        labels = _same_shape(type(self).__name__, prediction, labels)
        if not ((labels >= 0) & (labels <= 1)).all():
            raise LabelError(
                f"BinaryCrossEntropy: expected labels between 0 and 1, got {labels.min()} to {labels.max()}"
            )
        return moved(labels, namespace(prediction))

    def of_scores(self, scores, y):
        """L = mean(max(s, 0) - s y + log(1 + exp(-|s|))), dscores = (sigmoid(s) - y) / count."""
        xp = namespace(scores)
        small = xp.exp(-xp.abs(scores))
        loss = (xp.maximum(scores, 0) - scores * y + xp.log1p(small)).sum() / scores.size
        probability = xp.where(scores >= 0, 1 / (1 + small), small / (1 + small))
        return loss, (probability - y) / scores.size

    def of_prediction(self, prediction, y):
        """L = mean(-(y log p + (1 - y) log(1 - p))), dp = ((1 - y) / (1 - p) - y / p) / count."""
        xp = namespace(prediction)
        p = xp.clip(prediction, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        loss = -(y * xp.log(p) + (1 - y) * xp.log(1 - p)).sum() / p.size
        return loss, ((1 - y) / (1 - p) - y / p) / p.size


class MeanSquaredError(Loss):
    """mean((prediction - label)^2) over all elements; labels of the prediction's shape, or (N,) for (N, 1)."""

    def check(self, prediction, labels):
        return moved(_same_shape(type(self).__name__, prediction, labels), namespace(prediction))

    def of_prediction(self, prediction, labels):
        """dprediction = 2 (prediction - label) / count."""
        difference = prediction - labels
        return (difference * difference).sum() / difference.size, 2 * difference / difference.size


LOSSES = {loss.__name__: loss for loss in (CrossEntropy, BinaryCrossEntropy, MeanSquaredError)}


def _same_shape(name, prediction, labels):
    """Labels on the host, in the prediction's dtype and shape: there they can be looked at without waiting."""
    labels = on_host(labels).astype(prediction.dtype, copy=False)
    if labels.shape == prediction.shape:
        return labels
    if labels.ndim == 1 and prediction.shape == (len(labels), 1):
        return labels[:, None]
    raise LabelError(f"{name}: expected labels of shape {tuple(prediction.shape)}, got {tuple(labels.shape)}")
