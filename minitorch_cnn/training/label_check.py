"""All labels are checked before training begins, so a wrong one does not stop it in the middle of an epoch."""

from typing import Any

import numpy as np

from minitorch_cnn.datasets.mixup import Mixup
from minitorch_cnn.datasets.several import Several
from minitorch_cnn.datasets.weighted_labels import parted
from minitorch_cnn.engine.losses import MeanSquaredError
from minitorch_cnn.errors import ArgumentError, LabelError, UserError
from minitorch_cnn.training.diagnosis import finite

AT_ONCE = 4096  # labels checked at a time


def check_labels(part: str, images: Any, labels: Any, loss: Any, model: Any, augment: Any = None) -> None:
    """Raise LabelError if `labels`, (N,) or (N, K), do not match `images` (N, ...) or if `loss` does not accept them.

    `part` is the name of the images in the message: "training" or "validation". Raises ArgumentError if `augment` is a
    Mixup that cannot mix such labels.
    """
    labels, _ = parted(labels)
    if isinstance(labels, Several):
        for each, shape, one in zip(labels.parts, model.output_shape, model.loss_of_each(loss)):
            _check(part, images, each, one, shape, model.dtype)
    else:
        _check(part, images, labels, loss, model.output_shape, model.dtype)
    if isinstance(augment, Mixup):
        _check_mixing(labels, loss, model, augment.classes)


def _check_mixing(labels, loss, model, classes):
    if model.outputs > 1:
        raise ArgumentError("fit: augment: Mixup: expected a network with one output, got one with several")
    scores = int(np.prod(model.output_shape))
    if classes is None and getattr(loss, "follows", None) == "softmax" and np.size(labels) == len(labels):
        raise ArgumentError(f"fit: augment: expected Mixup(classes={scores}), because the labels are class numbers")
    if classes is not None and classes != scores:
        advice = (
            f"Mixup(classes={scores}) for {scores} outputs" if scores > 1 else "Mixup without classes for one output"
        )
        raise ArgumentError(f"fit: augment: expected {advice}, got classes={classes}")


def _check(part: str, images: Any, labels: Any, loss: Any, shape: tuple, dtype: Any) -> None:
    if len(images) != len(labels):
        raise LabelError(f"fit: expected a label for each of the {len(images)} {part} images, got {len(labels)}")
    labels = labels if hasattr(labels, "dtype") else np.asarray(labels)
    for start in range(0, len(labels), AT_ONCE):
        some = labels[start : start + AT_ONCE]
        if some.dtype.kind == "f" and not finite(some):
            raise LabelError(f"fit: {part} labels: expected numbers, got some that are not finite")
        rows = some.ndim == 2 and some.shape[1] > 1 and getattr(loss, "follows", None) == "softmax"
        if rows and not ((some >= 0) & (some <= 1)).all():
            raise LabelError(
                f"fit: {part} labels: expected rows of numbers from 0 to 1, got {some.min()} to {some.max()}"
            )
        try:
            loss.check(np.empty((len(some), *shape), dtype), some)
        except NotImplementedError:  # a user-defined loss may take any labels
            return
        except UserError as error:
            classes = isinstance(loss, MeanSquaredError) and some.ndim == 1 and some.dtype.kind in "iu"
            advice = '; for class numbers, let the last layer have activation="softmax"' if classes else ""
            raise type(error)(f"fit: {part} labels: {error}{advice}") from None
