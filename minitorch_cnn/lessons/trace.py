"""One training step, watched: what every layer makes of its input, what comes back to it, and how far it then moves.

    forward     layer by layer: time, multiplications, what the activations look like, which ReLUs stay off
    backward    the same way home: time, how large the gradient still is
    update      how far each parameter moved, in units of its own size: about 1e-3 is healthy

The passes are those of `Sequential.loss_and_gradients`, one layer at a time, so that a clock can stand between them. A
model by itself runs some neighbours as one, a convolution and the pool behind it; that is measured beside.
"""

import math
import time

import numpy as np

from minitorch_cnn.engine.convolution import winograd
from minitorch_cnn.engine.layers import Dense
from minitorch_cnn.engine.losses import MeanSquaredError
from minitorch_cnn.engine.passes import joint
from minitorch_cnn.lessons.step import LayerTrace, Move, Statistics, StepTrace
from minitorch_cnn.network.sequential import Sequential


def trace_step(model, x, labels, optimizer, loss=None, warm_up=True):
    """Make one training step of `model` on x (N, ...) and watch it. The model's weights are changed by the step.

    Arguments as for `train_step`; `loss` left out is the one that belongs to the last activation; `warm_up` runs both
    passes before, so that nothing is compiled while the clock runs. Returns a StepTrace.
    """
    loss = loss or model.default_loss()
    model.segments()
    if warm_up:
        _warm_up(model, x, labels, loss, optimizer)
    rate, state = float(optimizer.learning_rate), _side_effects(model)
    joined = _joined(model, x, labels, loss)
    _undo(model, state)
    rows = [_row(model, layer, index, len(x)) for index, layer in enumerate(model.layers)]
    value, prediction, outputs = _passes(model, model.receive(x), labels, loss, rows)
    trained = [(row, layer, name) for row, layer in zip(rows, model.layers) for name in layer.gradients]
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
    after, prediction_after = _loss_only(model, model.receive(x), labels, loss)
    return StepTrace(
        len(x), type(loss).__name__, repr(optimizer), rate, value, after, seconds, rows, prediction, prediction_after,
        outputs, joined
    )  # fmt: skip


def _joined(model, x, labels, loss):
    """Seconds of both passes as a training runs them: the shortest of a few, or of one that is long."""
    seconds = []
    while len(seconds) < 5 and sum(seconds) < 0.5:
        start = time.perf_counter()
        model.loss_and_gradients(x, labels, loss, training=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _passes(model, x, labels, loss, rows):
    """Both passes, a layer at a time, noted in `rows`; returns the loss, the prediction, and feature maps to show."""
    outputs, lowest, last = {}, model.lowest_trainable(), model.layers[-1]
    scores = None
    for index, (row, layer) in enumerate(zip(rows, model.layers)):
        start = time.perf_counter()
        if layer is last and joint(loss, last):
            scores = layer.scores(x, True)
            x = layer.activation.forward(scores)
        else:
            x = layer.forward(x, True)
        row.forward_seconds = time.perf_counter() - start
        if index < lowest:
            layer.forget()
        _note_output(row, layer, x)
        if x.ndim == 4:
            outputs[layer.name] = np.array(x[0])
    value, dy = loss.from_scores(scores, labels) if scores is not None else loss.value_and_gradient(x, labels)
    for index in range(len(rows) - 1, lowest - 1, -1):
        layer, row = model.layers[index], rows[index]
        row.gradient = Statistics.of(dy)
        backward = layer.backward_scores if layer is last and scores is not None else layer.backward
        start = time.perf_counter()
        dy = backward(dy, need_dx=index > lowest)
        row.backward_seconds = time.perf_counter() - start
        layer.forget()
    return value, np.array(x), outputs


def _row(model, layer, index, images):
    lowest = model.lowest_trainable()
    state = "trained" if layer.parameters else ""
    if layer.parameters and not layer.trainable:
        state = "frozen" if index < lowest else "frozen, gradient passes"
    kept = layer.kept_elements() * images * model.dtype.itemsize if index >= lowest else 0
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
    chosen = getattr(layer, "chosen", None)
    if chosen is not None:
        row.algorithm = chosen.__name__.rpartition(".")[2]
        if chosen is winograd and winograd.serves(layer.kernel_size, layer.strides):
            tiles = math.prod(winograd.tile_count(layer.output_shape[:2]))
            row.performed = tiles * winograd.PATCH**2 * kernel.shape[2] * kernel.shape[3]


def _loss_only(model, x, labels, loss):
    for layer in model.layers[:-1]:
        x = layer.forward(x, True)
        layer.forget()
    last = model.layers[-1]
    if joint(loss, last):
        scores = last.scores(x, True)
        value, x = loss.from_scores(scores, labels)[0], last.activation.forward(scores)
    else:
        x = last.forward(x, True)
        value = loss.value_and_gradient(x, labels)[0]
    last.forget()
    return value, np.array(x)


def _length(array):
    return float(np.linalg.norm(array.astype(np.float64, copy=False)))


def _warm_up(model, x, labels, loss, optimizer):
    """Run what will be watched once, so that nothing is compiled while the clock runs; the model stays as it is."""
    state = _side_effects(model)
    rows = [_row(model, layer, index, len(x)) for index, layer in enumerate(model.layers)]
    _passes(model, model.receive(x), labels, loss, rows)
    model.loss_and_gradients(x, labels, loss, training=True)
    _undo(model, state)
    small = Sequential([Dense(1)], (1,), seed=0, dtype=model.dtype)
    small.loss_and_gradients([[1.0]], [[1.0]], MeanSquaredError())
    type(optimizer)(0.0, **{**optimizer.config(), "multipliers": None}).step(small)


def _side_effects(model):
    """What a forward pass in training changes: counts of draws and moving averages."""
    return [
        (getattr(layer, "draws", None), {name: np.array(layer.parameters[name]) for name in layer.statistics})
        for layer in model.layers
    ]


def _undo(model, state):
    for layer, (draws, statistics) in zip(model.layers, state):
        if draws is not None:
            layer.draws = draws
        for name, array in statistics.items():
            layer.parameters[name] = array
