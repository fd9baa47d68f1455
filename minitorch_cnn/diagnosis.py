"""Where a number went wrong: the same batch once more, a layer at a time, until something is no longer finite."""

import math

import numpy as np

from minitorch_cnn.backend import on_host
from minitorch_cnn.sequential import joint


class NotFinite(ArithmeticError):
    """The `loss` of a step, or where that is finite one of its gradients, is no number."""

    def __init__(self, loss):
        super().__init__(loss)
        self.loss = loss


def require_finite(loss, model):
    """Raise NotFinite unless the loss and all gradients of the model are numbers."""
    if not math.isfinite(loss) or not all(finite(segment.gradients) for segment in model.segments()):
        raise NotFinite(loss)


def finite(array):
    """Whether all numbers of an array are; one pass, and a second one only where the sum is not."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(float(array.sum()))) or bool(np.isfinite(on_host(array)).all())


def where_it_began(model, x, labels, loss, first=0, images=None):
    """The first thing that is not finite on the way forwards and back, in words; None where all of it is.

    Arguments: the batch that was just gone through, `x` (N, ...) and `labels`; random layers repeat their last draw.
    Where x is a part of a batch of `images`, its first one is number `first` there, from 0.
    """
    for layer in model.layers:
        if getattr(layer, "draws", 0):
            layer.draws -= 1
    with np.errstate(all="ignore"):
        x = model.receive(x)
        wrong = next((number for number, image in enumerate(x, first + 1) if not finite(image)), None)
        if wrong is not None:
            return f"in the input: image {wrong} of {images or len(x)} in the batch holds numbers that are not finite"
        return _forwards(model, x, labels, loss)


def in_words(loss, place, epoch, batch, rate):
    """What to tell the user of a step whose numbers were not finite, and what to try."""
    what = f"a gradient is not finite, the loss is {loss:.4g}," if math.isfinite(loss) else f"the loss is {loss}"
    place = place or "nowhere when looked at again"
    advice = f"training has diverged; try a learning rate below {rate:g}, or clip_norm"
    if place.startswith("in the input"):
        advice = "look at the images"
    return f"{what} in epoch {epoch + 1}, batch {batch + 1}; it began {place}: {advice}"


def _forwards(model, x, labels, loss):
    *hidden, last = model.layers
    together = joint(loss, last)
    for layer in model.layers:
        for name, array in layer.parameters.items():
            made_by_this_pass = name in layer.statistics and layer.trainable
            if not made_by_this_pass and not finite(array):
                return f"in {layer.name}: its {name} is not finite any more"
        forward = layer.scores if layer is last and together else layer.forward
        largest = float(abs(x).max())
        x = forward(x, True)
        if not finite(x):
            return f"in {layer.name}, forwards, from inputs of up to {largest:.3g}"
    value, dy = loss.from_scores(x, labels) if together else loss.value_and_gradient(x, labels)
    if not np.isfinite(value):
        return f"in the loss, from outputs of up to {float(abs(x).max()):.3g}"
    return _backwards(model, dy, together)


def _backwards(model, dy, together):
    lowest = model.lowest_trainable()
    for index in range(len(model.layers) - 1, lowest - 1, -1):
        layer = model.layers[index]
        if not finite(dy):
            return f"in the gradient that {layer.name} gets from above"
        backward = layer.backward_scores if together else layer.backward
        dy, together = backward(dy, need_dx=index > lowest), False
        for name, gradient in layer.gradients.items():
            if not finite(gradient):
                return f"in {layer.name}, backwards: the gradient of its {name}"
    return None
