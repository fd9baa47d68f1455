"""Gradient accumulation: the step of a large batch, computed in pieces that fit into memory.

    for each piece:   forward, backward; add its gradient, times its share of the images, to the sum
    update the weights once with the sum

The loss is a mean over the batch, so the sum is the gradient of the whole batch, up to rounding. Dropout draws the mask
that the whole batch would have. Batch norm sees only a piece at a time, so its statistics are those of the pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.datasets.weighted_labels import parted
from minitorch_cnn.engine.metrics import count_correct
from minitorch_cnn.parallel import Alone
from minitorch_cnn.parallel.share import Share, Weighted
from minitorch_cnn.training.diagnosis import Place, require_finite, where_it_began
from minitorch_cnn.training.shared_step import taking
from minitorch_cnn.training.step import Step
from minitorch_cnn.training.weights import SampleWeighted


class Piece(Share):
    """A part of a batch whose layers see nothing of the other parts."""

    def total(self, sums: Array) -> Array:
        """The `sums` over this piece."""
        return sums

    def count_all(self, count: int) -> int:
        """The number of values in this piece."""
        return count


class AccumulatedStep(Step):
    """Training steps whose batches are computed `images` at a time."""

    def __init__(self, model: Any, loss: Any, optimizer: Any, learner: Any, images: int) -> None:
        super().__init__(model, loss, optimizer, learner)
        self.images = images

    def __call__(self, x: Any, labels: Any) -> tuple[float, float]:
        """Take a step with x (N, ...); returns (mean loss, number of correct predictions) before the update."""
        draws = {layer: layer.draws for layer in self.learner.layers}
        sums: list = []
        value, correct = 0.0, 0.0
        for piece, part, answers, losses in self._pieces(x, labels):
            for layer, count in draws.items():
                layer.draws = count  # every piece has its own rows of one mask
            with taking(piece, self.learner):
                own = [Weighted(loss, piece) for loss in losses]
                value += self.learner.loss_and_gradients(part, answers, own, training=True) * piece.images / piece.whole
            correct += count_correct(self.learner.prediction, answers)
            gradients = [segment.gradients for segment in self.model.segments()]
            sums = [total + gradient for total, gradient in zip(sums, gradients)] or [g.copy() for g in gradients]
        for segment, total in zip(self.model.segments(), sums):
            segment.gradients[...] = total
        require_finite(value, self.model)
        self.optimizer.step(self.model)
        return value, correct

    def where_it_began(self, x: Any, labels: Any) -> Place | None:
        """The Place of the first piece that has one."""
        for piece, part, answers, losses in self._pieces(x, labels):
            with taking(piece, self.learner):
                place = where_it_began(self.learner, part, answers, losses, piece.first, piece.whole)
            if place:
                return place
        return None

    def _pieces(self, x: Any, labels: Any) -> Iterator[tuple[Piece, Any, Any, list]]:
        """(piece, its images, its labels, a loss for each output) one after the other."""
        answers, weights = parted(labels)
        losses = self.learner.loss_of_each(self.loss)
        whole = len(x[0] if self.learner.inputs > 1 else x)
        for first in range(0, whole, self.images):
            rows = slice(first, min(first + self.images, whole))
            own = losses if weights is None else [SampleWeighted(loss, weights[rows]) for loss in losses]
            yield Piece(Alone(), first, rows.stop, whole), _rows(x, rows), _rows(answers, rows), own


def _rows(items, rows):
    """Some rows of an array, or of each of a list of arrays."""
    return [each[rows] for each in items] if isinstance(items, list) else items[rows]
