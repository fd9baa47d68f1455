"""The training step of several processes: each takes its share of the batch, then the gradients are added up.

The functions below are what the processes do together around the steps; with one process they change nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine.metrics import averages, count_correct
from minitorch_cnn.parallel.ranks import Alone
from minitorch_cnn.parallel.share import Share, Weighted, part
from minitorch_cnn.training.diagnosis import Place, require_finite, where_it_began
from minitorch_cnn.training.step import Step
from minitorch_cnn.training.weights import apart


class SharedStep(Step):
    """Training steps that all `ranks` take together; `images()` is the number of images in the whole current batch."""

    def __init__(
        self, model: Any, loss: Any, optimizer: Any, learner: Any, ranks: Alone, images: Callable[[], int]
    ) -> None:
        super().__init__(model, loss, optimizer, learner)
        self.ranks, self.images = ranks, images

    def __call__(self, x: Any, labels: Any) -> tuple[float, float]:
        """Take a step with this rank's rows; returns (mean loss, number of correct predictions) of the whole batch."""
        share, (labels, loss) = self.ranks.share(self.images()), apart(labels, self.loss)
        with taking(share, self.learner):
            losses: list = [Weighted(each, share) for each in self.learner.loss_of_each(loss)]
            value = self.learner.loss_and_gradients(x, labels, losses, training=True)
        correct = count_correct(self.learner.prediction, labels, self.kinds)
        for segment in self.model.segments():  # a single one, unless frozen layers lie in between
            share.total(segment.gradients)
        value, correct = share.total(np.array([value * share.images, correct])).tolist()
        value /= share.whole
        require_finite(value, self.model)
        self.optimizer.step(self.model)
        return value, correct

    def where_it_began(self, x: Any, labels: Any) -> Place | None:
        """The Place of the first rank that finds one; each rank examines its own rows alone."""
        share, place, (labels, loss) = self.ranks.share(self.images()), None, apart(labels, self.loss)
        if share.images:
            with taking(Share(Alone(), share.first, share.stop, share.images), self.learner):
                place = where_it_began(self.learner, x, labels, loss, share.first, share.whole)
        return self.ranks.any_rank(place)


@contextlib.contextmanager
def taking(share: Share, model: Any) -> Iterator[None]:
    """Context in which the layers know which part of the batch they see."""
    for layer in model.layers:
        layer.share = share
    try:
        yield
    finally:
        for layer in model.layers:
            layer.share = None


def align(model: Any, ranks: Alone) -> None:
    """Give every rank the weights and random streams of the first one."""
    if ranks.size == 1:
        return
    keys = ranks.from_first(lambda: [layer.key for layer in model.layers])
    for layer, key in zip(model.layers, keys):
        layer.key = key
    model.load_state(ranks.from_first(lambda: {name: on_host(value) for name, value in model.state().items()}))


def evaluate(model: Any, images: Any, labels: Any, loss: Any, ranks: Alone) -> dict[str, float]:
    """What `model.evaluate` returns; each rank evaluates its share of the images."""
    if ranks.size == 1:
        return model.evaluate(images, labels, loss=loss)
    share, sums = ranks.share(len(images)), np.zeros(2)
    if share.images:
        rows = share.first, share.stop
        measured = model.evaluate(part(images, *rows), part(labels, *rows), loss=loss)
        sums[:] = measured["loss"] * share.images, measured.get("accuracy", 0) * share.images
    loss_sum, correct = share.total(sums).tolist()
    return averages(loss_sum, correct, share.whole, model.kinds_of_accuracy(loss))
