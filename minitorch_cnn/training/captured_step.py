"""A whole training step on a GPU as one CUDA graph: forward, loss, backward, update.

    step = CapturedStep(model, losses.CrossEntropy(), optimizer)
    for x, labels in batches:
        loss, correct = step(x, labels)         # arrays on the GPU: float(loss) waits for it

The first steps launch one operation after the other, as usual. Then one step is captured; from there on a call copies
its batch to where the graph reads it and launches the graph. The same kernels run in the same order, so the result has
the same bits. What changes from step to step lies in GPU memory and is written there before the launch: the batch, the
learning rate, and how many times each dropout layer has drawn random numbers.

A batch of another size, such as the last one of an epoch, runs one operation after the other. If the step cannot be
captured, all batches do, and `reason` says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, moved
from minitorch_cnn.engine.losses import Loss, LossOfScores
from minitorch_cnn.errors import ArgumentError, BackendError
from minitorch_cnn.training import diagnosis
from minitorch_cnn.training.counting import right
from minitorch_cnn.training.step import Step
from minitorch_cnn.twins.cuda.graph import Recorder

WARM_UP = 2  # steps before the one that is captured


class CapturedStep(Step):
    """Training steps of `model` (on a GPU) with `loss` and `optimizer`; `learner` is the part that sees the batches."""

    def __init__(self, model: Any, loss: Loss, optimizer: Any, learner: Any = None) -> None:
        if model.backend == "numpy":
            raise ArgumentError('CapturedStep: expected a model on a GPU: model.to("cupy")')
        super().__init__(model, loss, optimizer, learner)
        self.reason = self._why_not()
        self.recorder = None if self.reason else Recorder(model.xp)
        self.counters: dict = {}  # layer: (array on the GPU with its number of draws, the value in that array)
        self.graph: Any = None
        self.warm = 0

    @property
    def pool(self) -> Any:
        """The graph's memory pool; None if there is no graph."""
        return None if self.recorder is None else self.recorder.pool

    def __call__(self, x: Array, labels: Any) -> tuple[Any, Any]:
        """Take a step; returns (mean loss, number of correct predictions) before it, as 0-d arrays on the GPU.

        If the loss or a gradient is not finite, no weight changes, and the loss is NaN or NotFinite is raised.
        """
        wanted = self.loss.check(self._like_a_prediction(len(x)), labels) if self._computes_on_arrays() else labels
        if self.reason is not None:
            return self._one_by_one(x, wanted)
        if self.warm and (x.shape, x.dtype, wanted.shape) != (self.x.shape, self.x.dtype, self.wanted.shape):
            return self._one_by_one(x, wanted)
        if not self.warm or not self.optimizer.follows(self.model):
            self._prepare(x, wanted)
        return self._as_a_graph(x, wanted)

    # One operation after the other.

    def _one_by_one(self, x, labels):
        there = moved(labels, self.model.xp)
        loss = _OnDevice(self.loss, there) if self._computes_on_arrays() else self.loss
        value = self.learner.loss_and_gradients(x, labels, loss, training=True)
        diagnosis.require_finite(float(value), self.model)
        self.optimizer.step(self.model)
        return value, right(self.learner.prediction, there, self.kinds[0]).sum()

    # As one graph.

    def _prepare(self, x, wanted):
        """Allocate the arrays that the graph reads, shaped like the first batch."""
        xp = self.model.xp
        self.optimizer.prepare(self.model)
        self.x, self.wanted = xp.empty(x.shape, dtype=x.dtype), xp.empty(wanted.shape, dtype=wanted.dtype)
        pieces, numbers = self.optimizer.rate_shape()
        self.rates = xp.empty((pieces, numbers, 1), dtype=self.model.dtype)
        self.graph, self.warm = None, 0

    def _as_a_graph(self, x, wanted):
        rates = self.optimizer.next_rates()
        self._write(self.x, x)
        self._write(self.wanted, wanted)
        self._write(self.rates, np.asarray(rates, self.model.dtype)[..., None])
        draws = self._random_layers()
        for layer in draws:
            self._count_on_device(layer)
        try:
            if self.warm < WARM_UP:
                self.warm += 1
                return self.recorder.run(self._work)
            if self.graph is None:
                self.graph, self.results = self.recorder.capture(self._work)
        except BackendError as error:
            self.reason = str(error)
        finally:
            for layer, count in draws.items():
                layer.draws = count + 1
                self.counters[layer] = self.counters[layer][0], count + 1
        if self.reason is not None:  # here the error is gone, and with it whatever held the memory of the attempt
            return self._finish_without(rates, draws)
        self.graph.launch()
        return self.results

    def _work(self):
        """The step itself, on arrays of the GPU alone; it may neither read a result nor pass a number from the host."""
        for layer in self._random_layers():
            layer.draws = self.counters[layer][0]
        loss = _OnDevice(self.loss, self.wanted)
        value = self.learner.loss_and_gradients(self.x, None, loss, training=True)
        doubt = value - value  # 0, or NaN if the loss is not finite: then no weight may change
        for segment in self.model.segments():
            total = segment.gradients.sum()
            doubt = doubt + (total - total)
        self.optimizer.apply(self.rates + doubt)  # a rate that is NaN changes nothing (`twins/cuda/optimizers.py`)
        return value + doubt, right(self.learner.prediction, self.wanted, self.kinds[0]).sum()

    def _finish_without(self, rates, draws):
        """Compute the step whose capture failed; nothing of it has been computed yet."""
        self.recorder = None  # and with it its memory, and what cuBLAS took for its stream
        for layer, count in draws.items():
            layer.draws = count
        value = self.learner.loss_and_gradients(self.x, None, _OnDevice(self.loss, self.wanted), training=True)
        diagnosis.require_finite(float(value), self.model)
        self.optimizer.apply(rates)
        return value, right(self.learner.prediction, self.wanted, self.kinds[0]).sum()

    def _write(self, there, array):
        if isinstance(array, np.ndarray):
            there.set(np.ascontiguousarray(array), stream=self.model.xp.cuda.get_current_stream())
        else:
            there[...] = array

    def _random_layers(self):
        """{layer: number of draws so far} for the layers that draw random numbers in training."""
        return {layer: layer.draws for layer in self.learner.layers if layer.random and getattr(layer, "rate", 1)}

    def _count_on_device(self, layer):
        """Make the number of draws on the GPU equal to the layer's own; they differ after steps without the graph."""
        counter, there = self.counters.get(layer, (None, None))
        if counter is None:
            counter = self.model.xp.empty(1, dtype="uint64")
        if there != layer.draws:
            self._write(counter, np.asarray([layer.draws], "uint64"))
        self.counters[layer] = counter, layer.draws

    def _why_not(self):
        """Why the step cannot be captured, or None if it can."""
        if self.optimizer.clip_norm is not None:
            return "clip_norm: the host decides whether a gradient is too long"
        if not self._computes_on_arrays():
            return f"{type(self.loss).__name__}: not computed on the GPU alone (by of_scores, of_prediction)"
        for layer in self.learner.layers:
            if layer.random is None:  # a graph would repeat the random numbers of the step that was captured
                return f"{layer.name}: does not say whether it is random; set `random` to True or False in its class"
        return None

    def _computes_on_arrays(self):
        """Whether the loss is computed by its `of_scores` and `of_prediction`, and no override replaces them."""
        kind = type(self.loss)
        own = kind.value_and_gradient is not Loss.value_and_gradient
        own |= getattr(kind, "from_scores", LossOfScores.from_scores) is not LossOfScores.from_scores
        return not own and hasattr(kind, "of_prediction")

    def _like_a_prediction(self, N):
        """An array on the host of the prediction's shape and dtype, to check labels against it."""
        return np.broadcast_to(self.model.dtype.type(0), (N, *self.model.output_shape))


class _OnDevice:
    """A loss for labels that have been checked already; its value stays on the GPU."""

    def __init__(self, loss, wanted):
        self.loss, self.follows, self.wanted = loss, loss.follows, wanted

    def from_scores(self, scores, _):
        return self.loss.of_scores(scores, self.wanted)

    def value_and_gradient(self, prediction, _):
        return self.loss.of_prediction(prediction, self.wanted)
