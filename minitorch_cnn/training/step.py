"""One training step, which `fit` takes with every batch.

Several processes take it together in `shared_step.py`; on a GPU it becomes one CUDA graph in `captured_step.py`.
"""

from typing import Any

from minitorch_cnn.engine.metrics import count_correct
from minitorch_cnn.training import diagnosis
from minitorch_cnn.training.weights import apart


class Step:
    """Training steps of `model` with `loss` and `optimizer`; `learner` is the part that sees the batches."""

    def __init__(self, model: Any, loss: Any, optimizer: Any, learner: Any = None) -> None:
        self.model, self.loss, self.optimizer, self.learner = model, loss, optimizer, learner or model
        self.kinds = self.learner.kinds_of_accuracy(loss)  # how right answers are counted

    def __call__(self, x: Any, labels: Any) -> tuple[Any, Any]:
        """Take a step with x (N, ...); returns (mean loss, number of correct predictions) before the update.

        Raises NotFinite, and leaves the weights unchanged, if the loss or a gradient is not finite.
        """
        labels, loss = apart(labels, self.loss)
        value = self.learner.loss_and_gradients(x, labels, loss, training=True)
        correct = count_correct(self.learner.prediction, labels, self.kinds)
        diagnosis.require_finite(value, self.model)
        self.optimizer.step(self.model)
        return value, correct

    def where_it_began(self, x: Any, labels: Any) -> diagnosis.Place | None:
        """The Place where the step just taken with this batch stopped being finite, or None."""
        return diagnosis.where_it_began(self.learner, x, *apart(labels, self.loss))
