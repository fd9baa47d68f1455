"""One training step, watched: what every layer makes of its input, the gradient it receives, and how far it moves.

    forward     layer by layer: time, multiplications, what the activations look like, which ReLUs are always off
    backward    in reverse: time, how large the gradient still is
    update      how far each parameter moved, relative to its size: about 1e-3 is healthy

The step is the model's own, watched by an observer (`engine/passes.py`) that stops the clock between the layers. In
training some neighbours run as one, such as a convolution and the pool behind it; that is measured separately.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array
from minitorch_cnn.engine import passes
from minitorch_cnn.engine.convolution import winograd
from minitorch_cnn.engine.layers import Conv2D, Dense
from minitorch_cnn.engine.losses import MeanSquaredError
from minitorch_cnn.lessons.image_gradients import image_gradients
from minitorch_cnn.lessons.step import LayerTrace, Move, Statistics, StepTrace
from minitorch_cnn.network.joint import joint
from minitorch_cnn.network.sequential import Sequential


def trace_step(
    model: Any, x: Array, labels: Any, optimizer: Any, loss: Any = None, warm_up: bool = True, gradients: bool = False
) -> StepTrace:
    """Make one training step of `model` on x (N, ...) and watch it. The model's weights are changed by the step.

    Arguments as for `train_step`; `loss` left out is the one that belongs to the last activation; `warm_up` runs both
    passes before, so that nothing is compiled while the clock runs; `gradients` keeps those of the first image and its
    feature maps, for which both passes run once more. Returns a StepTrace.
    """
    loss = loss or model.default_loss()
    model.segments()
    if warm_up:
        _warm_up(model, x, labels, loss, optimizer)
    rate, state = float(optimizer.learning_rate), _side_effects(model)
    joined = _joined(model, x, labels, loss)
    _undo(model, state)
    seen = image_gradients(model, x, labels, loss) if gradients else None
    _undo(model, state)
    rows = _rows(model, len(x))
    value, prediction, outputs = _passes(model, x, labels, loss, rows)
    trained = [(row, layer, name) for layer, row in rows.items() for name in layer.gradients]
    before = {(layer.name, name): np.array(layer.parameters[name]) for _, layer, name in trained}
    lengths = {(layer.name, name): _length(layer.gradients[name]) for _, layer, name in trained}
    start = time.perf_counter()
    optimizer.step(model)
    seconds = time.perf_counter() - start
    for row, layer, name in trained:
        old = before.pop((layer.name, name))
        update = _length(layer.parameters[name] - old)
        row.moves[name] = Move(_length(old), lengths[layer.name, name], update)
    _undo(model, state)
    after, prediction_after = _loss_only(model, x, labels, loss)
    return StepTrace(
        len(x), type(loss).__name__, repr(optimizer), rate, value, after, seconds, list(rows.values()), prediction,
        prediction_after, outputs, seen, joined
    )  # fmt: skip


def _joined(model, x, labels, loss):
    """Seconds of both passes as a training runs them: the shortest of a few, or of one that is long."""
    seconds = []
    while len(seconds) < 5 and sum(seconds) < 0.5:
        start = time.perf_counter()
        model.loss_and_gradients(x, labels, loss, training=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _passes(model: Any, x: Array, labels: Any, loss: Any, rows: dict) -> tuple[float, np.ndarray, dict]:
    """Both passes, a layer at a time, noted in `rows`; returns the loss, the prediction, and feature maps to show."""
    watch = _Watch(rows)
    value = model.loss_and_gradients(x, labels, loss, training=True, observer=watch)
    last = model.nodes()[-1].layer
    _note_output(rows[last], last, model.prediction)
    return value, np.array(model.prediction), watch.outputs


class _Watch(passes.Observer):
    """Notes what happens in each layer, in its row; the times of a layer that stands at several places add up."""

    def __init__(self, rows: dict) -> None:
        self.rows = rows
        self.outputs: dict[str, np.ndarray] = {}
        self.started = 0.0

    def before_forward(self, node: passes.Node, x: Any) -> None:
        self.started = time.perf_counter()

    def after_forward(self, node: passes.Node, x: Any, y: Array, kept: Any) -> None:
        row = self.rows[node.layer]
        row.forward_seconds += time.perf_counter() - self.started
        _note_output(row, node.layer, y)
        if isinstance(node.layer, Conv2D):
            _note_algorithm(row, node.layer, node.layer.algorithm_for(x))
        if y.ndim == 4:
            self.outputs[node.layer.name] = np.array(y[0])

    def before_backward(self, node: passes.Node, dy: Array) -> None:
        self.rows[node.layer].gradient = Statistics.of(dy)
        self.started = time.perf_counter()

    def after_backward(self, node: passes.Node, dy: Array, dx: Any, gradients: dict) -> None:
        self.rows[node.layer].backward_seconds += time.perf_counter() - self.started


def _rows(model: Any, images: int) -> dict[Any, LayerTrace]:
    """{layer: its row}, without what is measured."""
    needed = passes.need_gradients(model.nodes())
    visited = {node.layer for node in model.nodes() if node.output in needed}
    return {layer: _row(model, layer, layer in visited, images) for layer in model.layers}


def _row(model: Any, layer: Any, visited: bool, images: int) -> LayerTrace:
    state = "trained" if layer.parameters else ""
    if layer.parameters and not layer.trainable:
        state = "frozen, gradient passes" if visited else "frozen"
    kept = layer.kept_elements() * images * model.dtype.itemsize if visited else 0
    return LayerTrace(
        layer.name, type(layer).__name__, layer.describe(), layer.input_shape, layer.output_shape,
        layer.count_parameters(), state, kept_bytes=kept,
    )  # fmt: skip


def _note_output(row, layer, y):
    row.activation = Statistics.of(y)
    row.channels = y.shape[-1]
    if getattr(layer.activation, "name", None) == "relu":
        row.silent = int((~y.reshape(-1, y.shape[-1]).any(axis=0)).sum())
    kernel = layer.parameters.get("kernel")
    if kernel is not None:
        row.multiplications = row.performed = kernel.size * math.prod(layer.output_shape[:-1])


def _note_algorithm(row: LayerTrace, layer: Any, algorithm: Any) -> None:
    row.algorithm = algorithm.__name__.rpartition(".")[2]
    if algorithm is winograd and winograd.serves(layer.kernel_size, layer.strides):
        C, K = layer.parameters["kernel"].shape[2:]
        TH, TW = winograd.tile_count(layer.output_shape[:2])
        row.performed = TH * TW * winograd.PATCH**2 * C * K


def _loss_only(model: Any, x: Array, labels: Any, loss: Any) -> tuple[float, np.ndarray]:
    last = model.nodes()[-1].layer
    together = joint(loss, last)
    nodes = model.nodes()
    scores = {nodes[-1].output} if together else ()
    y, _ = passes.forward(nodes, [model.receive(x)], training=True, scores=scores)
    if together:
        return loss.from_scores(y, labels)[0], np.array(last.activation.forward(y))
    return loss.value_and_gradient(y, labels)[0], np.array(y)


def _length(array):
    return float(np.linalg.norm(array.astype(np.float64, copy=False)))


def _warm_up(model, x, labels, loss, optimizer):
    """Run what will be watched once, so that nothing is compiled while the clock runs; the model stays as it is."""
    state = _side_effects(model)
    _passes(model, x, labels, loss, _rows(model, len(x)))
    model.loss_and_gradients(x, labels, loss, training=True)
    _undo(model, state)
    small = Sequential([Dense(1)], (1,), seed=0, dtype=model.dtype)
    small.loss_and_gradients([[1.0]], [[1.0]], MeanSquaredError())
    by_name = {"multipliers": None, "exclude_from_weight_decay": ()}  # of layers that it does not have
    type(optimizer)(0.0, **{**optimizer.config(), **by_name}).step(small)


def _side_effects(model: Any) -> list:
    """What a forward pass in training changes: counts of draws and moving averages."""
    return [
        (layer.draws, {name: np.array(layer.parameters[name]) for name in layer.statistics}) for layer in model.layers
    ]


def _undo(model: Any, state: list) -> None:
    for layer, (draws, statistics) in zip(model.layers, state):
        layer.draws = draws
        for name, array in statistics.items():
            layer.parameters[name] = array
