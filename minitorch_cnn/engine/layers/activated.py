"""Layers that end in an activation: y = activation(scores(x))."""

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import initializers
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer


class Activated(Layer):
    """Base of them. A subclass defines `scores` and `backward_scores`.

    The scores are what goes into the activation. A loss that is differentiated together with a softmax or a sigmoid
    starts from them, and hands dL/dscores to `backward_scores`.
    """

    random = False
    given_initializers: dict = {}  # for `config`: those that are not the class's own

    def choose_initializers(self, groups: int | None = 1, **given: Any) -> None:
        """Let the initializers called `given` ({parameter: name}) draw the initial values (`initializers.py`).

        The constructor's argument is called after the parameter, without `_kernel`: `depthwise_initializer`.
        """
        own, names = self.initializers, given.items()
        self.initializers = {**own, **{name: initializers.get(value, self.name, groups) for name, value in names}}
        self.given_initializers = self.given_initializers | {
            f"{name.removesuffix('_kernel')}_initializer": value
            for name, value in given.items()
            if value != own[name].__name__
        }

    def config(self) -> dict:
        return {**super().config(), **self.given_initializers}

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        scores, kept = self.scores(x, training)
        y = self.activation.forward(scores)
        return y, (*kept, scores if getattr(self.activation, "from_scores", False) else y)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dL/dscores = dL/dy times the activation's derivative, computed from y or from the scores."""
        *kept, seen = kept
        return self.backward_scores(self.activation.backward(dy, seen), kept, need_dx)

    def scores(self, x: Array, training: bool = False) -> Forward:
        """(scores, kept): what goes into the activation, and what `backward_scores` needs."""
        raise NotImplementedError(f"{type(self).__name__}: define scores and backward_scores")

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) as for `backward_pass`, from the gradient of the scores."""
        raise NotImplementedError(f"{type(self).__name__}: define scores and backward_scores")
