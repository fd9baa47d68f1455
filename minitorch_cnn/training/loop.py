"""The training loop.

    for each epoch:
        for each batch:   forward, loss, backward, update          (a `Step`: step.py)
        measure the validation images

Random numbers depend on (seed, epoch, batch) alone, so the loop can stop after any batch and continue later: a
checkpoint needs only the epoch, the batch, the weights, the optimizer's state and the running sums. A model's
epochs are counted over all its trainings, so several calls of `fit` draw what one call for all epochs would draw.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minitorch_cnn.arguments import whole
from minitorch_cnn.arrays import memory
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.datasets.preprocessing import received_already
from minitorch_cnn.datasets.weighted_labels import WeightedLabels
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.memory import scarce
from minitorch_cnn.parallel import Alone
from minitorch_cnn.training import diagnosis
from minitorch_cnn.training.accumulated_step import AccumulatedStep
from minitorch_cnn.training.by_name import loss_of, optimizer_of
from minitorch_cnn.training.callback import Callback, prepare_evaluation
from minitorch_cnn.training.captured_step import CapturedStep
from minitorch_cnn.training.fit_arguments import (
    check_arguments,
    check_resume,
    checked_accumulation,
    checked_data,
    fresh_callbacks,
)
from minitorch_cnn.training.gpu_memory import out_of_memory
from minitorch_cnn.training.host_memory import require_room
from minitorch_cnn.training.interrupts import Interrupted, Interrupts
from minitorch_cnn.training.label_check import check_labels
from minitorch_cnn.training.learner import Learner
from minitorch_cnn.training.monitor import check_monitors
from minitorch_cnn.training.not_learning import NotLearning
from minitorch_cnn.training.progress import Progress, in_short, say
from minitorch_cnn.training.shared_step import SharedStep, align, evaluate
from minitorch_cnn.training.state import TrainingState
from minitorch_cnn.training.step import Step
from minitorch_cnn.training.validation import checked_validation, split_off
from minitorch_cnn.training.weights import with_class_weight, with_sample_weight
from minitorch_cnn.twins.numba import ahead


def fit(model: Any, x: Any, labels: Any = None, *, resume: str | Path | None = None, **settings: Any) -> dict:
    """Train `model`; returns the history {"loss": [one value per epoch], "accuracy": ..., "val_loss": ..., ...}.

    Arguments: those of `Trainer`; `resume` is the path of a checkpoint to continue from. Its training must have had the
    same data (`data_record.py`) and the same settings, except for those that decide nothing but speed, and for `epochs`
    if the learning rate does not depend on their number (`settings_record.py`); CheckpointError says what differs.

    Raises Interrupted at Ctrl-C and TrainingError if the loss or a gradient is no longer finite. Whatever exception
    ends the training has an attribute `history`: the history up to then.
    """
    resume = check_resume(resume)
    trainer = Trainer(model, x, labels, **settings)
    if resume is not None:
        trainer.load(resume)
    try:
        return trainer.run()
    except BaseException as error:
        error.history = trainer.history  # type: ignore[attr-defined]
        raise
    finally:
        memory.release()


class Trainer(Learner, TrainingState, Progress):
    """One training: the loop and its state.

    Arguments: `x` are images (N, ...) or a sequence that loads them; integers go through the model's preprocessing;
    `labels` (N,) or (N, K); `loss` (left out: the one that belongs to the last activation); `validation` is a pair
    (x, labels), or with sample weights three parts, evaluated after each epoch; `validation_split` instead takes the
    last fraction of x for it, before shuffling; `sample_weight` (N,) says how much each example counts in the loss, and
    `class_weight` {class number: weight} how much those of each class (`weights.py`); with
    `gradient_accumulation_steps` k the weights are updated once for k batches of `batch_size`, with the gradient of all
    their images (`accumulated_step.py`); `augment` is an Augmentation; `seed` decides the order of the images and their
    augmentation (left out: the model's seed); `workers` threads prepare batches in advance (0: none); `cache_features`
    computes the output of a frozen base only once, if the images are not augmented (`features.py`); `progress` shows a
    bar for each epoch; `ranks` are the processes that train this model together (`parallel/`), each with its share of
    every batch of `batch_size`.
    """

    def __init__(
        self,
        model: Any,
        x: Any,
        labels: Any,
        *,
        optimizer: Any,
        loss: Any = None,
        epochs: int = 1,
        batch_size: int = 32,
        gradient_accumulation_steps: int = 1,
        validation: tuple | None = None,
        validation_split: float | None = None,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        callbacks: Iterable[Callback] = (),
        augment: Callable | None = None,
        shuffle: bool = True,
        seed: int | None = None,
        workers: int = 2,
        cache_features: bool = True,
        progress: bool = True,
        ranks: Alone | None = None,
    ) -> None:
        optimizer, loss = optimizer_of(optimizer), loss_of(loss)
        flags = {"shuffle": shuffle, "cache_features": cache_features, "progress": progress}
        check_arguments(optimizer, loss, validation, augment, class_weight, sample_weight, **flags)
        if isinstance(loss, (list, tuple)) and model.outputs == 1:
            (loss,) = model.loss_of_each(loss)
        x, labels = checked_data(model, x, labels, augment)
        epochs = whole(epochs, "fit: epochs", 0)
        if model.input_shape is None:
            model.build(x.shape[1:])
        if model.lowest_trainable() == len(model.nodes()):
            raise ArgumentError("fit: expected a trainable layer, but every layer is frozen; unfreeze some first")
        self.model, self.optimizer = model, optimizer
        self.learner = model  # the part that sees the batches (`learner.py`)
        self.loss = model.default_loss() if loss is None else loss
        self.kinds = model.kinds_of_accuracy(self.loss)
        check_labels("training", x, labels, self.loss, model, augment)
        labels = with_sample_weight(labels, sample_weight, self.loss, model, "fit: sample_weight")
        x, labels, validation = split_off(x, labels, validation, validation_split)
        labels = with_class_weight(labels, class_weight, self.loss, model)
        self.ranks = ranks or Alone()
        steps = checked_accumulation(gradient_accumulation_steps, self.ranks.size)
        self.accumulated, self.at_once = steps, batch_size
        self.epochs, self.progress = epochs, progress and self.ranks.reports
        self.callbacks = fresh_callbacks(callbacks)
        self.not_learning = NotLearning()
        seed = self.ranks.from_first(lambda: model.seed if seed is None else seed)
        self.batches = Batches(
            x, labels, batch_size * steps if steps > 1 else batch_size, shuffle=shuffle, seed=seed, augment=augment,
            transform=model.receive if model.backend == "numpy" else None, workers=0 if scarce() else workers,
            rows=lambda images, ranks=self.ranks: ranks.share(images).rows,  # type: ignore[misc]
        )  # fmt: skip
        self.validation = checked_validation(validation, self.loss, model)
        require_room(model, min(batch_size, len(x)) // self.ranks.size)
        check_monitors(self)
        self.cache_features = cache_features
        self.base: list = []  # the frozen layers whose output is cached
        self.first_epoch = self.ranks.from_first(lambda: model.epochs_trained)
        self.epoch, self.batch = 0, 0  # the next batch to train on
        self.totals = {"loss": 0.0, "correct": 0, "images": 0, "seconds": 0.0}  # of the current epoch
        self.rate = 0.0  # learning rate at the beginning of the epoch
        self.history: dict[str, list[float]] = {}
        self.stopped: str | None = None  # why a callback has stopped the training
        self.after_epoch: Any = None  # the Checkpoint that saves when the epoch has been counted
        self.step: Any = None  # the Step that each batch goes through; chosen by `run`
        self.interrupts = Interrupts(say if self.ranks.reports else lambda text: None)

    def run(self) -> dict[str, list[float]]:
        """Train until all epochs are done or a callback stops the training; returns the history."""
        align(self.model, self.ranks)
        if self.ranks.reports:
            _ = self.records  # now, before the features replace the images
        if self.cache_features and self.epoch < self.epochs:
            self.compute_features()
        self.prepare_steps()
        if self.ranks.size == 1:
            ahead.begin(self.learner, self.optimizer, min(self.at_once, len(self.batches.images)))
        self._tell("on_train_begin")
        with self.interrupts:
            while self.epoch < self.epochs and not self.stopped:
                self._run_epoch()
        self._tell("on_train_end")
        return self.history

    def _step_here(self):
        """The plain step, the step of several processes, or on a GPU one CUDA graph."""
        parts = self.model, self.loss, self.optimizer, self.learner
        if self.ranks.size > 1:  # on a GPU as well, because a CUDA graph cannot contain a sum over processes
            return SharedStep(*parts, self.ranks, self._images_in_batch)
        if self.accumulated > 1:
            return AccumulatedStep(*parts, self.at_once)
        plain = self.model.backend == "numpy" or self.model.inputs > 1 or self.model.outputs > 1
        plain |= isinstance(self.batches.labels, WeightedLabels)
        return Step(*parts) if plain else CapturedStep(*parts)

    def stop(self, reason: str) -> None:
        """End the training after the current epoch, for `reason`."""
        self.stopped = reason

    def _run_epoch(self):
        with contextlib.ExitStack() as evaluation:
            self._train_and_measure(evaluation)
        self.stopped = self.ranks.any_rank(self.stopped)
        self.epoch, self.batch = self.epoch + 1, 0
        self.model.epochs_trained = self.first_epoch + self.epoch
        self.totals = dict.fromkeys(self.totals, 0) | {"loss": 0.0, "seconds": 0.0}
        if self.after_epoch is not None:
            self.after_epoch.save(self)
        if self.ranks.any(self.interrupts):
            self._leave()

    def _train_and_measure(self, evaluation):
        self.give_up_features()
        if self.batch == 0:
            self.rate = float(self.optimizer.learning_rate)
        started = time.perf_counter() - self.totals["seconds"]
        with self._bar() as bar:
            if not self.optimizer.steps:
                bar.set_postfix_str("the first step compiles, only once on each machine")
            batches = self.batches_of_epoch()
            try:
                batch = next(batches, None)
                while batch is not None:
                    (x, labels), result = batch, self._begin_batch(*batch)
                    batch = next(batches, None)  # prepared while the GPU computes
                    images = self._count_batch(x, labels, *result)
                    self.totals["seconds"] = time.perf_counter() - started
                    bar.update(images)
                    bar.set_postfix_str(self._postfix(bar), refresh=False)
                    self._tell("on_batch_end")
                    if self.ranks.any(self.interrupts):
                        self._leave()
                    if self.give_up_features():
                        batches.close()
                        batches = self.batches_of_epoch()
                        batch = next(batches, None)
            finally:
                batches.close()
            results = {**self._averages(), "learning_rate": self.rate}
            prepare_evaluation(self, evaluation)
            if self.validation is not None:
                bar.set_postfix_str("validating")
                results.update({f"val_{name}": value for name, value in self._validate().items()})
            results["seconds"] = time.perf_counter() - started
            bar.set_postfix_str(in_short(results))
        for name, value in results.items():
            self.history.setdefault(name, []).append(value)
        self.not_learning.look(self, results)
        self._tell("on_epoch_end", results)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what comes of it ends in one line
    def _begin_batch(self, x, labels):
        """Start a step: (mean loss, number of correct predictions), on a GPU as arrays still being computed."""
        try:
            with received_already():  # by the batches, on the host
                return self.step(x, labels)
        except diagnosis.NotFinite as wrong:
            raise self._diverged(wrong.loss, x, labels) from None
        except MemoryError:
            if self.model.backend == "numpy":
                raise
            raise out_of_memory(self.learner, self.at_once, getattr(self.step, "pool", None)) from None

    def _count_batch(self, x, labels, loss, correct):
        """Wait for the step and add up its results; returns its number of images on all ranks."""
        images, loss, correct = self._images_in_batch(), float(loss), float(correct)
        if not math.isfinite(loss):
            raise self._diverged(loss, x, labels)
        self.totals["loss"] += loss * images
        self.totals["correct"] += correct
        self.totals["images"] += images
        self.batch += 1
        return images

    def _images_in_batch(self):
        return min(self.batches.batch_size, len(self.batches.images) - self.batch * self.batches.batch_size)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _diverged(self, loss, x, labels):
        """The TrainingError that says in which layer it began."""
        place = self.step.where_it_began(x, labels)
        what = f"a gradient is not finite, the loss is {loss:.4g}," if math.isfinite(loss) else f"the loss is {loss}"
        return diagnosis.diverged(f"{what} in epoch {self.epoch + 1}, batch {self.batch + 1}", place, self.optimizer)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _validate(self):
        """Evaluate the validation images on all ranks; TrainingError if the loss is not finite."""
        images, labels = self.validation
        measured = evaluate(self.learner, images, labels, self.loss, self.ranks)
        if not math.isfinite(measured["loss"]):
            first = self.ranks.share(len(images)).first
            place = self.ranks.any_rank(diagnosis.where_a_prediction_began(self.learner, images, first=first))
            what = f"the validation loss is {measured['loss']} after epoch {self.epoch + 1}"
            raise diagnosis.diverged(what, place or diagnosis.Place("in the loss", diagnosis.LOSS), self.optimizer)
        return measured

    def _leave(self) -> NoReturn:
        lines = [line for line in (callback.on_interrupt(self) for callback in self.callbacks) if line]
        number = self.ranks.any_rank(self.interrupts.number) or 0
        raise Interrupted(number, "; ".join([f"interrupted {self._place()}", *lines]))

    def _tell(self, event, *arguments):
        for callback in self.callbacks:
            getattr(callback, event)(self, *arguments)
