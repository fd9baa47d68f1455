"""Where a number went wrong: the same batch once more, a layer at a time, until something is no longer finite."""

import numpy as np

from minitorch_cnn.backend import on_host
from minitorch_cnn.sequential import joint


def finite(array):
    """Whether all numbers of an array are; one pass, and a second one only where the sum is not."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(float(array.sum()))) or bool(np.isfinite(on_host(array)).all())


def where_it_began(model, x, labels, loss):
    """The first thing that is not finite on the way forwards and back, in words; None where all of it is.

    Arguments: the batch that was just gone through, `x` (N, ...) and `labels`; random layers repeat their last draw.
    """
    for layer in model.layers:
        if getattr(layer, "draws", 0):
            layer.draws -= 1
    with np.errstate(all="ignore"):
        return _forwards(model, model.receive(x), labels, loss)


def _forwards(model, x, labels, loss):
    wrong = [number for number, image in enumerate(x, 1) if not finite(image)]
    if wrong:
        return f"in the input: image {wrong[0]} of {len(x)} in the batch holds numbers that are not finite"
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
