"""Where a number went wrong: the same batch once more, a layer at a time, until something is no longer finite."""

import math
from dataclasses import dataclass

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine.passes import joint

BATCH = 128  # images at once when all of them are looked at
INPUT, WEIGHTS, PASS, LOSS = "input", "weights", "pass", "loss"
BEFORE_THE_FIRST_STEP = {
    WEIGHTS: "look at the weights that the model began with",
    PASS: "look at the images and at the weights that the model began with",
    LOSS: "look at the labels and at the loss",
}


@dataclass(frozen=True)
class Place:
    """Where it began, in words; `kind` is INPUT, WEIGHTS (parameters as they are before the pass), PASS or LOSS."""

    words: str
    kind: str = PASS

    def advice(self, steps, rate):
        """What to try, after so many `steps` at a learning `rate`."""
        if self.kind == INPUT:
            return "look at the images"
        if not steps:
            return BEFORE_THE_FIRST_STEP[self.kind]
        return f"training has diverged; try a learning rate below {rate:g}, or clip_norm"


NOWHERE = Place("nowhere when looked at again")


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
    """The first Place on the way forwards and back that is not finite; None where all of it is.

    Arguments: the batch that was just gone through, `x` (N, ...) and `labels`; random layers repeat their last draw.
    Where x is a part of a batch of `images`, its first one is number `first` there, from 0.
    """
    for layer in model.layers:
        if getattr(layer, "draws", 0):
            layer.draws -= 1
    together = joint(loss, model.layers[-1])
    with np.errstate(all="ignore"):
        x = model.receive(x)
        place = _bad_image(x, first, f"{images or len(x)} in the batch")
        if place:
            return place
        x, place = _forwards(model.layers, x, True, together)
        if place:
            return place
        value, dy = loss.from_scores(x, labels) if together else loss.value_and_gradient(x, labels)
        if not np.isfinite(value):
            return Place(f"in the loss, from outputs of up to {float(abs(x).max()):.3g}", LOSS)
        return _backwards(model, dy, together)


def where_a_prediction_began(model, images, layers=None, first=0):
    """As `where_it_began`, for a pass that only predicts: `images` (N, ...) from number `first` on.

    They go through `layers`, left out: all of them.
    """
    layers = layers or model.layers
    for start in range(first, len(images), BATCH):
        x = model.receive(images[start : start + BATCH])
        with np.errstate(all="ignore"):
            place = _bad_image(x, start, f"{len(images)}") or _forwards(layers, x, False, False)[1]
        if place:
            return place
    return None


def _bad_image(x, before, of):
    """The Place of the first image that is not finite, counted after `before` others `of` all; or None."""
    wrong = next((number for number, image in enumerate(x, before + 1) if not finite(image)), None)
    words = f"in the input: image {wrong} of {of} holds numbers that are not finite"
    return None if wrong is None else Place(words, INPUT)


def _forwards(layers, x, training, together):
    """(what the last layer puts out, or its scores if it is taken `together` with the loss; Place or None)."""
    for layer in layers:
        for name, array in layer.parameters.items():
            made_by_this_pass = training and name in layer.statistics and layer.trainable
            if not made_by_this_pass and not finite(array):
                return x, Place(f"in {layer.name}: its {name} is not finite any more", WEIGHTS)
        forward = layer.scores if layer is layers[-1] and together else layer.forward
        largest = float(abs(x).max())
        x = forward(x, training)
        if not finite(x):
            return x, Place(f"in {layer.name}, forwards, from inputs of up to {largest:.3g}")
    return x, None


def _backwards(model, dy, together):
    lowest = model.lowest_trainable()
    for index in range(len(model.layers) - 1, lowest - 1, -1):
        layer = model.layers[index]
        if not finite(dy):
            top = layer is model.layers[-1]
            return Place(f"in the gradient that {layer.name} gets from {'the loss' if top else 'above'}", LOSS)
        backward = layer.backward_scores if together else layer.backward
        dy, together = backward(dy, need_dx=index > lowest), False
        for name, gradient in layer.gradients.items():
            if not finite(gradient):
                return Place(f"in {layer.name}, backwards: the gradient of its {name}")
    return None
