"""Layers that end in an activation: y = activation(scores(x))."""

from collections.abc import Sequence

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine.layers.layer import Backward, Forward, Layer


class Activated(Layer):
    """Base of them. A subclass defines `scores` and `backward_scores`.

    The scores are what goes into the activation. A loss that is differentiated together with a softmax or a sigmoid
    starts from them, and hands dL/dscores to `backward_scores`.
    """

    random = False

    def forward_pass(self, x: Array, training: bool = False) -> Forward:
        scores, kept = self.scores(x, training)
        y = self.activation.forward(scores)
        return y, (*kept, y)

    def backward_pass(self, dy: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """dL/dscores = dL/dy times the activation's derivative; then `backward_scores`."""
        *kept, y = kept
        return self.backward_scores(self.activation.backward(dy, y), kept, need_dx)

    def scores(self, x: Array, training: bool = False) -> Forward:
        """(scores, kept): what goes into the activation, and what `backward_scores` needs."""
        raise NotImplementedError(f"{type(self).__name__}: define scores and backward_scores")

    def backward_scores(self, dscores: Array, kept: Sequence, need_dx: bool = True) -> Backward:
        """(dx, gradients) as for `backward_pass`, from the gradient of the scores."""
        raise NotImplementedError(f"{type(self).__name__}: define scores and backward_scores")
