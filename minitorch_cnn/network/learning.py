"""Training a network, predicting with it, and measuring it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from minitorch_cnn.arguments import check_loss, check_optimizer, flag, whole
from minitorch_cnn.arrays import is_array, namespace, on_host
from minitorch_cnn.datasets.several import together
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.losses import MeanSquaredError
from minitorch_cnn.engine.values import Value
from minitorch_cnn.errors import ArgumentError, LabelError, ShapeError
from minitorch_cnn.network.answers import LOSSES, kind_of_accuracy, last_activation, require_probabilities
from minitorch_cnn.network.views import views
from minitorch_cnn.training import fit
from minitorch_cnn.training.by_name import loss_of
from minitorch_cnn.training.counting import averages, count_correct
from minitorch_cnn.training.fit_arguments import check_images
from minitorch_cnn.training.gpu_memory import out_of_memory
from minitorch_cnn.training.weights import apart, with_sample_weight


class Learning:
    """The part of a `Model` that trains, predicts and measures."""

    def lowest_trainable(self: Any) -> int:
        """The index of the first node whose layer learns, or the number of nodes if all are frozen."""
        nodes = self.nodes()
        return next((index for index, node in enumerate(nodes) if node.layer.learns), len(nodes))

    def segments(self: Any) -> list:
        """The trainable parameters and their gradients as long vectors (`Segment`), for an optimizer."""
        self._require_built()
        return self.vector.segments()

    def train_step(self: Any, x: Any, labels: Any, loss: Any, optimizer: Any) -> float:
        """Take one step as in `fit`: forward, backward, update; returns the loss before the update."""
        check_optimizer(optimizer, "train_step")
        value = self.loss_and_gradients(x, labels, loss, training=True)
        optimizer.step(self)
        return value

    def fit(
        self: Any, x: Any, labels: Any = None, *, optimizer: Any, loss: Any = None, epochs: int = 1,
        batch_size: int = 32, gradient_accumulation_steps: int = 1, validation: tuple | None = None,
        validation_split: float | None = None, class_weight: dict[int, float] | None = None, sample_weight: Any = None,
        callbacks: Iterable = (), augment: Callable | None = None, shuffle: bool = True, seed: int | None = None,
        workers: int = 2, cache_features: bool = True, progress: bool = True, ranks: Any = None,
        resume: Any = None,
    ) -> dict[str, list]:  # fmt: skip
        """Train; `training.Trainer` explains the arguments. Returns the history, {name: [one value per epoch]}.

        `optimizer` and `loss` are objects, or Keras's names for them ("adam", "mse"). `resume` is the path of a
        checkpoint to continue from.
        """
        return fit(
            self, x, labels, optimizer=optimizer, loss=loss, epochs=epochs, batch_size=batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps, validation=validation,
            validation_split=validation_split, class_weight=class_weight, sample_weight=sample_weight,
            callbacks=callbacks, augment=augment, shuffle=shuffle, seed=seed, workers=workers,
            cache_features=cache_features, progress=progress, ranks=ranks, resume=resume,
        )  # fmt: skip

    def __call__(self: Any, x: Any, training: bool = False) -> Any:
        """`predict(x)`, as in Keras; with `training` as a training step predicts (dropout, the batch's statistics).

        A model cannot be a layer of another one, because layers belong to one model: ArgumentError for a Value.
        """
        if any(isinstance(each, Value) for each in (x if isinstance(x, (list, tuple)) else [x])):
            advice = "model.extend([...]) puts layers on top of it, and layers called one by one make a new model"
            raise ArgumentError(f"expected images, got a Value: a model is no layer of another model; {advice}")
        return self.forward(x, training=True) if flag(training, "training") else self.predict(x)

    def predict(self: Any, x: Any, batch_size: int = 128, average_over: Iterable[str] = ()) -> Any:
        """Predictions (N, ...) for x (N, *input_shape), computed batch by batch without storing anything.

        They are NumPy arrays unless x is an array of another library. Several threads may predict at the same time.
        With `average_over` a list of "flip", "shift" or both, a prediction is the mean over these views of each image
        (`views.py`).
        """
        batch_size, seen_as = whole(batch_size, "predict: batch_size"), views(average_over, self)
        x = together(x, self.inputs, "predict")
        check_images(x, "predict")
        first = x.parts[0] if self.inputs > 1 else x
        if len(x) == 0:
            raise ShapeError("predict: expected at least one image, got none")
        xp = namespace(first) if is_array(first) else np
        results = [self._predict_views(x[i : i + batch_size], seen_as) for i in range(0, len(x), batch_size)]
        rows = [[on_host(each) if xp is np else each for each in self._as_list(result)] for result in results]
        joined = [xp.concatenate(parts) for parts in zip(*rows)]
        return joined[0] if len(joined) == 1 else joined

    def _as_list(self: Any, prediction: Any) -> list:
        return [prediction] if self.outputs == 1 else prediction

    def _predict_views(self: Any, x: Any, seen_as: list) -> Any:
        """The mean prediction for a batch over its views; a list of them if there are several outputs."""
        first, *others = [self._as_list(self._predict_batch(view(x))) for view in seen_as]
        for made in others:
            first = [total + more for total, more in zip(first, made)]
        means = [total / len(seen_as) for total in first] if others else first
        return means if self.outputs > 1 else means[0]

    def _predict_batch(self: Any, x: Any, scores: Collection[int] = ()) -> Any:
        try:
            inputs = self.receive_all(x)
            return passes.forward(self.stages(), inputs, scores=scores, outputs=self.ends)[0]
        except MemoryError:
            if self.backend == "numpy":
                raise
            raise out_of_memory(self, len(inputs[0])) from None

    def evaluate(
        self: Any, x: Any, labels: Any, loss: Any = None, batch_size: int = 128, sample_weight: Any = None
    ) -> dict[str, float]:
        """{"loss": mean loss, "accuracy": share of correct answers} over x (N, ...) and its labels.

        `loss` (left out: the one that belongs to the last activation). With several outputs the losses add up, and the
        accuracy is the mean of theirs. Of several sigmoids every one is an answer. Where the output is an image, or a
        quantity with MeanSquaredError, there is no accuracy. `sample_weight` (N,) says how much each example counts in
        the loss (`training/weights.py`).
        """
        batch_size = whole(batch_size, "evaluate: batch_size")
        x, labels = together(x, self.inputs, "evaluate"), together(labels, self.outputs, "labels")
        check_images(x, "evaluate: x")
        check_images(labels, "evaluate: labels")
        if len(x) != len(labels) or len(x) == 0:
            raise LabelError(f"evaluate: expected a label for each image, got {len(x)} images and {len(labels)} labels")
        loss = self.default_loss() if loss is None else loss_of(loss)
        labels = with_sample_weight(labels, sample_weight, loss, self, "evaluate: sample_weight")
        losses, kinds = self.loss_of_each(loss), self.kinds_of_accuracy(loss)
        total, correct = 0.0, 0.0
        for i in range(0, len(x), batch_size):
            wanted, weighed = apart(labels[i : i + batch_size], losses)
            joint = self.together(weighed)
            made = self._as_list(self._predict_batch(x[i : i + batch_size], joint))
            value, predictions, _ = self.compare(made, weighed, self._as_list(wanted), joint)
            total += value * len(made[0])
            correct += count_correct(predictions if self.outputs > 1 else predictions[0], wanted, kinds)
        return averages(total, correct, len(x), kinds)

    def kinds_of_accuracy(self: Any, loss: Any) -> list[str | None]:
        """For each output how right answers are counted with that loss (`training/counting.py`)."""
        shapes = [self.output_shape] if self.outputs == 1 else self.output_shape
        each = zip(self.ends, shapes, self.loss_of_each(loss))
        return [kind_of_accuracy(self, number, shape, one) for number, shape, one in each]

    def default_loss(self: Any) -> Any:
        """Cross-entropy after softmax, binary cross-entropy after sigmoid, mean squared error otherwise.

        A list of losses if there are several outputs.
        """
        self._require_built()
        losses = [LOSSES.get(last_activation(self, number) or "", MeanSquaredError)() for number in self.ends]
        return losses[0] if len(losses) == 1 else losses

    def loss_of_each(self: Any, loss: Any) -> list:
        """A loss for each output: those of the list `loss`, or the same one for all.

        ArgumentError if a loss expects probabilities and its output is none.
        """
        loss = loss_of(loss)
        check_loss(loss, "loss")
        losses = list(loss) if isinstance(loss, (list, tuple)) else [loss] * self.outputs
        if len(losses) != self.outputs:
            raise LabelError(f"loss: expected one for each of the {self.outputs} outputs, got {len(losses)}")
        for number, each in zip(self.ends, losses):
            require_probabilities(self, number, each)
        return losses
