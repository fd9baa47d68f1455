"""Tells, in one line, when a network is not learning: its loss after an epoch is still that of guessing.

Once an epoch the loss is compared with that of a network that knows nothing but how frequent each class is. Only if it
is no lower, a few images are looked at and the likeliest cause is named. With few classes the first epochs of a network
that learns may look the same, so it is given more of them; and while the learning rate still rises nothing is said.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from minitorch_cnn.arrays import is_array, moved, namespace, on_host
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.losses import BinaryCrossEntropy, CrossEntropy
from minitorch_cnn.training.progress import say

LOWER = 0.985  # a loss below this share of the loss of guessing has begun to fall
STEPS = 20  # an epoch of fewer steps says nothing
MANY, PATIENCE = 5, 3  # with fewer than MANY classes, as many epochs as PATIENCE must look like that
IMAGES = 32  # that are looked at
LARGE = 50.0  # inputs beyond it were not scaled; those that VGG16 expects lie around 0 and are not all positive


class NotLearning:
    """Looks at each epoch of a training and tells once."""

    def __init__(self) -> None:
        self.at_chance, self.told = 0, False

    def look(self, trainer: Any, results: dict[str, float]) -> None:
        """Tell if the epoch with these `results` has learned nothing; to be called at its end."""
        guessing = loss_of_guessing(trainer)
        warms_up = float(trainer.optimizer.learning_rate) > trainer.rate
        silent = self.told or warms_up or not trainer.ranks.reports
        if silent or guessing is None or trainer.batch < STEPS:
            return
        self.at_chance = self.at_chance + 1 if results["loss"] >= LOWER * guessing[0] else 0
        if self.at_chance >= (1 if guessing[1] >= MANY else PATIENCE):
            self.told = True
            epoch, rate = trainer.epoch + 1, trainer.rate
            words = f"the loss after epoch {epoch} is {results['loss']:.4g}, and guessing has {guessing[0]:.4g}"
            say(f"warning: the network is not learning: {words}; {likeliest_cause(trainer, rate)}", sys.stderr)


def loss_of_guessing(trainer: Any) -> tuple[float, int] | None:
    """(loss of a network that knows only how frequent each class is, number of classes); None if there are none."""
    labels, loss = trainer.batches.labels, trainer.loss
    if not isinstance(labels, np.ndarray) or not isinstance(loss, (CrossEntropy, BinaryCrossEntropy)):
        return None
    if labels.ndim == 2 and labels.shape[1] > 1 and isinstance(loss, CrossEntropy):
        shares = labels.mean(axis=0)
    elif labels.shape in ((len(labels),), (len(labels), 1)):
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
    else:
        return None
    shares = shares[shares > 0]
    classes = len(shares)
    if isinstance(loss, CrossEntropy):  # with label smoothing, the classes without images are asked for as well
        lacking = np.zeros(int(np.prod(trainer.model.output_shape)) - classes)
        shares = loss.smoothed(np.concatenate([shares, lacking])[None])
        shares = shares[shares > 0]
    guessing = float(-(shares * np.log(shares)).sum())
    return (guessing, classes) if classes > 1 and math.isfinite(guessing) else None


def likeliest_cause(trainer: Any, rate: float) -> str:
    """What to look at first, found with a few images; the learning rate if nothing else is conspicuous."""
    if not trainer.base and trainer.model.inputs == 1:  # else the images were replaced by features, or are several
        images = trainer.batches.images
        some = np.arange(min(IMAGES, len(images)))  # a sequence of one's own need not know slices
        (x,) = trainer.model.receive_all(images[moved(some, namespace(images)) if is_array(images) else some])
        low, high = float(x.min()), float(x.max())
        if low == high:
            return f"every input is {low:g}: were the images loaded?"
        if low >= 0 and high > LARGE:
            return f"the inputs reach {high:g}: divide the images by 255, or give the model a preprocessing"
        if trainer.model.backend == "numpy":
            search = DeadLayer()
            passes.forward(trainer.model.nodes(), [x], observer=search)
            if search.layer is not None:
                name, weights = search.layer.name, [*search.layer.parameters.values()]
                if weights and not any(on_host(each).any() for each in weights):
                    return f"every weight of {name} is 0, so all images get the same output: begin with random weights"
                again = f"begin again with a learning rate below {rate:g}"
                return f"every output of {name} is 0, so its ReLUs are dead: {again}"
    return f"try another learning rate than {rate:g}, first a tenth of it; then check the labels"


class DeadLayer(passes.Observer):
    """Finds the first layer whose outputs are all 0."""

    def __init__(self) -> None:
        self.layer: Any = None

    def after_forward(self, node: passes.Node, x: Any, y: Any, kept: Any) -> None:
        if self.layer is None and not on_host(y).any():
            self.layer = node.layer
