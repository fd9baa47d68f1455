"""Which images training is measured on: `validation` and `validation_split` of `fit`."""

from __future__ import annotations

import math
from typing import Any

from minitorch_cnn.arguments import number
from minitorch_cnn.arrays import is_array
from minitorch_cnn.datasets.several import Several, together
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.files.printable import counted
from minitorch_cnn.parallel import part
from minitorch_cnn.training.label_check import check_labels
from minitorch_cnn.training.weights import with_sample_weight


def checked_validation(validation: Any, loss: Any, model: Any) -> tuple[Any, Any] | None:
    """(x, labels) of `validation`, which may have sample weights as a third part; None if there is none."""
    if validation is None:
        return None
    x, labels, weights = (*validation, None)[:3]
    x, labels = together(x, model.inputs, "validation"), together(labels, model.outputs, "validation")
    if len(x) == 0:
        raise ShapeError("fit: validation: expected at least one image, got none")
    shapes = [model.input_shape] if model.inputs == 1 else model.input_shape
    for images, shape in zip(x.parts if isinstance(x, Several) else [x], shapes):
        if tuple(getattr(images, "shape", (0, *shape))[1:]) != tuple(shape):
            wanted = ", ".join(map(str, shape))
            raise ShapeError(f"fit: validation: expected images of shape (N, {wanted}), got {tuple(images.shape)}")
    check_labels("validation", x, labels, loss, model)
    return x, with_sample_weight(labels, weights, loss, model, "fit: validation: sample weights")


def split_off(x: Any, labels: Any, validation: Any, fraction: Any) -> tuple[Any, Any, Any]:
    """(x, labels, validation) where the last `fraction` of the examples is the validation, as in Keras.

    They are the last ones in the order given, before any shuffling. ArgumentError if x is not an array, because images
    in folders are sorted by class, or if one of the two parts would be empty. Unchanged if `fraction` is None or 0.
    """
    if fraction is None or (fraction == 0 and not isinstance(fraction, bool)):
        return x, labels, validation
    number(fraction, "fit: validation_split", "a number from 0 to below 1", lambda v: 0 < v < 1)
    if validation is not None:
        raise ArgumentError("fit: validation_split: expected no validation besides it, got both")
    if not all(map(is_array, x.parts if isinstance(x, Several) else [x])):
        advice = "for a folder, test_fraction of datasets.image_folder takes the same share of every class"
        raise ArgumentError(f"fit: validation_split: expected images in an array, got {type(x).__name__}; {advice}")
    cut = math.floor(len(x) * (1 - fraction))
    if not 0 < cut < len(x):
        left = f"{cut} for training and {len(x) - cut} for validation"
        raise ArgumentError(f"fit: validation_split: {fraction} of {counted(len(x), 'image')} would leave {left}")
    first, last = ([part(items, *ends) for items in (x, labels)] for ends in ((0, cut), (cut, len(x))))
    return *first, tuple(last)
