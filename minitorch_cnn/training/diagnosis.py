"""Where NaN or infinity began: the batch is run again until the first layer with a number that is not finite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, on_host
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import TrainingError

BATCH = 128  # images at once when all of them are examined
INPUT, WEIGHTS, PASS, LOSS = "input", "weights", "pass", "loss"
BEFORE_THE_FIRST_STEP = {
    WEIGHTS: "check the initial weights",
    PASS: "check the images and the initial weights",
    LOSS: "check the labels and the loss",
}


@dataclass(frozen=True)
class Place:
    """Where it began, in words; `kind` is INPUT, WEIGHTS (the parameters before the pass), PASS or LOSS."""

    words: str
    kind: str = PASS

    def advice(self, steps: int, rate: float) -> str:
        """What to try, if this happened after `steps` steps at a learning rate of `rate`."""
        if self.kind == INPUT:
            return "check the images"
        if not steps:
            return BEFORE_THE_FIRST_STEP[self.kind]
        return f"training has diverged; try a learning rate below {rate:g}, or clip_norm"


NOWHERE = Place("at an unknown place: the same batch run again was finite")


class NotFinite(ArithmeticError):
    """The `loss` of a step is not finite or, if the loss is finite, one of its gradients is not."""

    def __init__(self, loss: float) -> None:
        super().__init__(loss)
        self.loss = loss


def diverged(what: str, place: Place | None, optimizer: Any) -> TrainingError:
    """The error that says what is not finite, where that began (None: nobody knows), and what to try."""
    place = place or NOWHERE
    advice = place.advice(optimizer.steps, float(optimizer.learning_rate))
    error = TrainingError(f"{what}; it began {place.words}: {advice}")
    error.together = True  # type: ignore[attr-defined]  # all ranks raise it, if there are several
    return error


def require_finite(loss: float, model: Any) -> None:
    """Raise NotFinite unless the loss and all gradients of the model are finite."""
    if not math.isfinite(loss) or not all(finite(segment.gradients) for segment in model.segments()):
        raise NotFinite(loss)


def finite(array: Array) -> bool:
    """Whether all numbers of an array are finite; examines each of them only if their sum is not finite."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(float(array.sum()))) or bool(np.isfinite(on_host(array)).all())


def where_it_began(
    model: Any, x: Any, labels: Any, loss: Any, first: int = 0, images: int | None = None
) -> Place | None:
    """The first Place in the forward or backward pass where a number is not finite, or None if all are finite.

    Arguments: `x` (N, ...) and `labels`, the batch of the last step, whose random draws are repeated. If x is part of a
    batch of `images`, `first` is the position of its first image there, counted from 0.
    """
    for layer in model.layers:
        if layer.draws:
            layer.draws -= 1
    with np.errstate(all="ignore"):
        for received in model.receive_all(x):
            place = _bad_image(received, first, f"{images or len(received)} in the batch")
            if place:
                return place
        try:
            model.loss_and_gradients(x, labels, loss, training=True, observer=Search(training=True))
        except Found as found:
            return found.place
    return None


def where_a_prediction_began(model: Any, images: Any, nodes: Any = None, first: int = 0) -> Place | None:
    """Like `where_it_began`, but for predictions of `images` (N, ...), from position `first` on.

    The images go through `nodes`; left out, through the whole model.
    """
    nodes = nodes or model.nodes()
    for start in range(first, len(images), BATCH):
        x = model.receive_all(images[start : start + BATCH])
        with np.errstate(all="ignore"):
            for each in x:
                place = _bad_image(each, start, f"{len(images)}")
                if place:
                    return place
            try:
                passes.forward(nodes, x, observer=Search(training=False))
            except Found as found:
                return found.place
    return None


class Found(Exception):
    """Raised to end a pass at the first number that is not finite."""

    def __init__(self, words: str, kind: str = PASS) -> None:
        super().__init__(words)
        self.place = Place(words, kind)


class Search(passes.Observer):
    """Examines every number of a pass and raises Found at the first that is not finite."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.above = "the loss"  # where the gradient of the next node comes from
        self.largest = 0.0  # magnitude of the numbers that the loss is computed from

    def before_forward(self, node: passes.Node, x: Any) -> None:
        layer = node.layer
        for name, array in layer.parameters.items():
            set_by_this_pass = self.training and name in layer.statistics and layer.trainable
            if not set_by_this_pass and not finite(array):
                raise Found(f"in {layer.name}: its {name} is not finite", WEIGHTS)

    def after_forward(self, node: passes.Node, x: Any, y: Array, kept: Any) -> None:
        if not finite(y):
            largest = max(float(abs(array).max()) for array in (x if isinstance(x, list) else [x]))
            raise Found(f"in the forward pass of {node.layer.name}, from inputs of up to {largest:.3g}")
        self.largest = float(abs(y).max())

    def after_loss(self, loss: float, dy: Array) -> None:
        if not np.isfinite(loss):
            raise Found(f"in the loss, from outputs of up to {self.largest:.3g}", LOSS)

    def before_backward(self, node: passes.Node, dy: Array) -> None:
        if not finite(dy):
            raise Found(f"in the gradient that {node.layer.name} receives from {self.above}", LOSS)
        self.above = "the layer above"

    def after_backward(self, node: passes.Node, dy: Array, dx: Any, gradients: dict) -> None:
        for name, gradient in gradients.items():
            if not finite(gradient):
                raise Found(f"in the backward pass of {node.layer.name}: the gradient of its {name}")


def _bad_image(x: Array, before: int, of: str) -> Place | None:
    """The Place of the first image that is not finite, or None; images are numbered from `before` + 1 `of` all."""
    wrong = next((number for number, image in enumerate(x, before + 1) if not finite(image)), None)
    words = f"in the input: image {wrong} of {of} contains numbers that are not finite"
    return None if wrong is None else Place(words, INPUT)
