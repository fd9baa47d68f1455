"""All labels are checked before training begins, so a wrong one does not stop it in the middle of an epoch."""

from typing import Any

import numpy as np

from minitorch_cnn.errors import LabelError, UserError
from minitorch_cnn.training.diagnosis import finite

AT_ONCE = 4096  # labels checked at a time


def check_labels(part: str, images: Any, labels: Any, loss: Any, model: Any) -> None:
    """Raise LabelError if `labels`, (N,) or (N, K), do not match `images` (N, ...) or if `loss` does not accept them.

    `part` is the name of the images in the message: "training" or "validation".
    """
    if len(images) != len(labels):
        raise LabelError(f"fit: expected a label for each of the {len(images)} {part} images, got {len(labels)}")
    labels = labels if hasattr(labels, "dtype") else np.asarray(labels)
    for start in range(0, len(labels), AT_ONCE):
        some = labels[start : start + AT_ONCE]
        if some.dtype.kind == "f" and not finite(some):
            raise LabelError(f"fit: {part} labels: expected numbers, got some that are not finite")
        try:
            loss.check(np.empty((len(some), *model.output_shape), model.dtype), some)
        except NotImplementedError:  # a user-defined loss may take any labels
            return
        except UserError as error:
            raise type(error)(f"fit: {part} labels: {error}") from None
