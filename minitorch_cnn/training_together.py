"""What several processes that train one model do together, around the steps; alone, each of them is the plain thing."""

import math

import numpy as np

from minitorch_cnn import diagnosis
from minitorch_cnn.errors import TrainingError
from minitorch_cnn.parallel import Part


class TrainingTogether:
    """The part of a `Trainer` that begins at the same place, counts and measures on all of its `ranks`."""

    def _align(self):
        """Begin on every rank where the first one is: its weights, its random numbers."""
        keys = [getattr(layer, "key", None) for layer in self.model.layers]
        for layer, key in zip(self.model.layers, self.ranks.from_first(lambda: keys)):
            if key is not None:
                layer.key = key
        self.model.load_state(self.ranks.from_first(self.model.state))

    def _take(self, share):
        """Tell the layers which part of the batch they see; None: all of it."""
        for layer in self.learner.layers:
            layer.share = share

    def _sum(self, numbers):
        """The sums over all ranks of a few numbers of each."""
        numbers = np.array(numbers, np.float64)
        self.ranks.sum(numbers)
        return numbers.tolist()

    def _validate(self):
        images, labels = self.validation
        if self.ranks.size == 1:
            return self._finite(self.learner.evaluate(images, labels, loss=self.loss), images)
        share = self.ranks.share(len(images))
        sums = [0.0, 0.0]
        if share.images:
            measured = self.learner.evaluate(Part(images, share), Part(labels, share), loss=self.loss)
            sums = [measured["loss"] * share.images, measured["accuracy"] * share.images]
        loss, accuracy = self._sum(sums)
        part = Part(images, share)
        return self._finite({"loss": loss / len(images), "accuracy": accuracy / len(images)}, part)

    def _finite(self, measured, images):
        """What was measured on the validation images, of which this rank has seen `images`; TrainingError if it is no
        number."""
        if math.isfinite(measured["loss"]):
            return measured
        places = self.ranks.gather(diagnosis.where_a_prediction_began(self.learner, images))
        place = next(filter(None, places), diagnosis.Place("in the loss", diagnosis.LOSS))
        advice = place.advice(self.optimizer.steps, float(self.optimizer.learning_rate))
        what = f"the validation loss is {measured['loss']} after epoch {self.epoch + 1}"
        raise TrainingError(f"{what}; it began {place.words}: {advice}")
