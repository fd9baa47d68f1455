"""One training step, as `fit` takes it with every batch.

Several processes take it together in `parallel/step.py`; on a GPU it becomes one CUDA graph in `captured_step.py`.
"""

from minitorch_cnn.engine.metrics import count_correct
from minitorch_cnn.training import diagnosis


class Step:
    """Training steps of `model` with `loss` and `optimizer`; `learner` is the part of it that sees the batches."""

    def __init__(self, model, loss, optimizer, learner=None):
        self.model, self.loss, self.optimizer, self.learner = model, loss, optimizer, learner or model

    def __call__(self, x, labels):
        """(mean loss, number of right predictions) before the update.

        Raises NotFinite, and leaves the weights as they are, where the loss or a gradient is no number.
        """
        value = self.learner.loss_and_gradients(x, labels, self.loss, training=True)
        correct = count_correct(self.learner.prediction, labels)
        diagnosis.require_finite(value, self.model)
        self.optimizer.step(self.model)
        return value, correct

    def where_it_began(self, x, labels):
        """In which layer numbers of the step just taken with this batch stopped being finite, or None."""
        return diagnosis.where_it_began(self.learner, x, labels, self.loss)
