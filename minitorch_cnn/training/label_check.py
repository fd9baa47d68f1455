"""Labels are looked at before a training begins, not in the batch that has the wrong one in it."""

import numpy as np

from minitorch_cnn.errors import LabelError, UserError
from minitorch_cnn.training.diagnosis import finite

AT_ONCE = 4096


def check_labels(part, images, labels, loss, model):
    """LabelError where `labels` (N,) or (N, K) are not for `images`, or where `loss` will not take them.

    `part` is what the images are called in the message: training, validation.
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
        except NotImplementedError:  # a loss of the user's own may take anything
            return
        except UserError as error:
            raise type(error)(f"fit: {part} labels: {error}") from None
