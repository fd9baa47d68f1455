"""Definitions that have no twin, beside an independent version in plain Python: they run as they are written.

Derivatives are held to central differences of that version, so a change to the definition cannot hide in both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.engine import activations, layers, losses, optimizers
from minitorch_cnn.engine.clipping import clip_to_norm
from minitorch_cnn.engine.convolution import naive
from minitorch_cnn.gradients.comparison import Comparison, difference, outcome
from minitorch_cnn.gradients.plain_steps import steps
from minitorch_cnn.gradients.twins import CONVOLUTIONS, convolution_cases

STEP = 1e-6
DERIVATIVE = 1e-6  # relative: of central differences in float64
Row = tuple[str, Callable[[], Any], list, float]  # title, what the package computes, what it should be, tolerance


def compare_plain() -> Iterator[Comparison]:
    """A Comparison for each definition without a twin that computes numbers."""
    rng = np.random.default_rng(0)
    tables = (_naive(rng), _activations(rng), _losses(rng), steps(rng), _others(rng))
    for title, work, wanted, tolerance in (row for table in tables for row in table):
        with definitions_only():
            got = outcome(work, (), "numpy")
        yield Comparison(title, difference(got, [np.asarray(array, np.float64) for array in wanted]), {}, tolerance)


def _naive(rng: np.random.Generator) -> Iterator[Row]:
    for name, oracle in CONVOLUTIONS.items():
        arguments = next(convolution_cases(name, rng))
        function = getattr(naive, name)
        yield f"convolution/naive.py: {name}", partial(function, *arguments), [oracle(*arguments)], 1e-9


def _activations(rng: np.random.Generator) -> Iterator[Row]:
    x, dy = rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    for kind, function in {
        activations.Linear: lambda v: v, activations.ReLU: lambda v: max(v, 0.0),
        activations.Sigmoid: lambda v: 1 / (1 + math.exp(-v)), activations.Tanh: math.tanh,
    }.items():  # fmt: skip
        yield from _activation(kind, np.vectorize(function), x, dy)
    yield from _activation(activations.Softmax, _softmax, x, dy)


def _activation(kind: type, function: Callable, x: np.ndarray, dy: np.ndarray) -> Iterator[Row]:
    y = function(x)
    title = f"activations.py: {kind.__name__}"
    yield f"{title}.forward", lambda: kind().forward(x), [y], 1e-12
    slopes = _slopes(lambda v: float((function(v) * dy).sum()), x)
    yield f"{title}.backward", lambda: kind().backward(dy, y), [slopes], DERIVATIVE


def _softmax(x: np.ndarray) -> np.ndarray:
    rows = [[math.exp(v) for v in row] for row in x.tolist()]
    return np.array([[v / math.fsum(row) for v in row] for row in rows])


def _losses(rng: np.random.Generator) -> Iterator[Row]:
    scores, classes, targets = rng.standard_normal((4, 5)), np.array([0, 3, 3, 1]), rng.random((4, 5))
    one_hot, weights = np.eye(5)[classes], np.array([0.5, 2.0, 0.0, 3.0])
    sigmoid = np.vectorize(lambda v: 1 / (1 + math.exp(-v)))
    smoothed = 0.8 * one_hot + 0.2 / 5
    cases: tuple = (
        ("", losses.CrossEntropy(), classes, one_hot, _cross_entropy, _softmax),
        (", smoothed", losses.CrossEntropy(0.2), classes, smoothed, _cross_entropy, _softmax),
        ("", losses.BinaryCrossEntropy(), targets, targets, _binary_cross_entropy, sigmoid),
        ("", losses.MeanSquaredError(), targets, targets, _squares, lambda v: v),
    )
    for (how, loss, labels, wanted, function, activation), counts in itertools.product(cases, (None, weights)):
        end = how + (", weighted" if counts is not None else "")
        title = f"losses.py: {type(loss).__name__}"
        given = () if counts is None else (counts,)
        p, of_p = activation(scores), partial(_mean, function, wanted, counts)
        work = partial(_both, loss.value_and_gradient, p, labels, *given)
        yield f"{title}.value_and_gradient{end}", work, [of_p(p), _slopes(of_p, p)], DERIVATIVE
        if loss.follows:
            of_scores = partial(_composed, of_p, activation)
            work = partial(_both, loss.from_scores, scores, labels, *given)
            yield f"{title}.from_scores{end}", work, [of_scores(scores), _slopes(of_scores, scores)], DERIVATIVE


def _mean(function: Callable, wanted: np.ndarray, weights: np.ndarray | None, p: np.ndarray) -> float:
    """The mean over the rows of their losses, each times its weight."""
    counts = np.ones(len(p)) if weights is None else weights
    return math.fsum(count * function(row, goal) for count, row, goal in zip(counts, p, wanted)) / len(p)


def _cross_entropy(p: np.ndarray, wanted: np.ndarray) -> float:
    return -math.fsum(w * math.log(v) for v, w in zip(p, wanted) if w)


def _binary_cross_entropy(p: np.ndarray, wanted: np.ndarray) -> float:
    return -math.fsum(w * math.log(v) + (1 - w) * math.log(1 - v) for v, w in zip(p, wanted)) / len(p)


def _squares(p: np.ndarray, wanted: np.ndarray) -> float:
    return math.fsum((v - w) ** 2 for v, w in zip(p, wanted)) / len(p)


def _both(work: Callable, *arguments: Any) -> tuple:
    """(loss, gradient) as arrays."""
    return tuple(np.asarray(part) for part in work(*arguments))


def _composed(function: Callable, activation: Callable, scores: np.ndarray) -> float:
    return function(activation(scores))


def _others(rng: np.random.Generator) -> Iterator[Row]:
    vectors = [rng.standard_normal(7), rng.standard_normal(4)]
    norm = math.sqrt(math.fsum(v * v for vector in vectors for v in vector))

    def clipped() -> tuple:
        own = [vector.copy() for vector in vectors]
        clip_to_norm(own, norm / 3)
        return tuple(own)

    yield "clipping.py: clip_to_norm", clipped, [vector / 3 for vector in vectors], 1e-9

    def rates() -> np.ndarray:
        adam = optimizers.Adam(0.1, 0.8, 0.9)
        adam.steps = 3
        return np.array(adam.rates(0.1))

    yield "optimizers.py: Adam.rates", rates, [[0.1, 0.1 * math.sqrt(1 - 0.9**3) / (1 - 0.8**3)]], 1e-12
    x = rng.standard_normal((4, 3, 2, 3))
    columns = x.reshape(-1, 3).T.tolist()
    means = [math.fsum(c) / len(c) for c in columns]
    variances = [math.fsum((v - m) ** 2 for v in c) / len(c) for c, m in zip(columns, means)]

    def batch_norm() -> tuple:
        layer = layers.BatchNorm(momentum=0.75, epsilon=0.5)
        y = layer.forward(x, training=True)
        frozen = layers.BatchNorm(momentum=0.75, epsilon=0.5, trainable=False)
        return y, *(layer.parameters[name].copy() for name in layer.statistics), frozen.forward(x, training=True)

    normalised = (x - means) / np.sqrt(np.array(variances) + 0.5)
    moving = [[0.25 * m for m in means], [0.75 + 0.25 * v for v in variances]]
    yield "layers/batch_norm.py: BatchNorm.forward_pass", batch_norm, [normalised, *moving, x / math.sqrt(1.5)], 1e-9


def _slopes(function: Callable[[np.ndarray], float], x: np.ndarray) -> np.ndarray:
    """The central differences of a function of all numbers of x."""
    result = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.copy()
        moved[index] = x[index] + STEP
        high = function(moved)
        moved[index] = x[index] - STEP
        result[index] = (high - function(moved)) / (2 * STEP)
    return result
