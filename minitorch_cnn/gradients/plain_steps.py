"""Two steps of SGD, RMSprop and Adam on a small model, beside the same steps number by number in plain Python.

Only the kernels decay, and the lower layer learns at half the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minitorch_cnn.engine import layers, optimizers
from minitorch_cnn.network.sequential import Sequential

RATE, DECAY, FIRST, SECOND, EPSILON = 0.3, 0.1, 0.8, 0.7, 0.01
SLOPES = (1.0, -2.0)  # the gradient of each step, as a multiple of the given one
SETTINGS: Any = {"weight_decay": DECAY, "exclude_from_weight_decay": ["bias"], "multipliers": {"low": 0.5}}
SHAPES = {
    ("low", "kernel"): (3, 4), ("low", "bias"): (4,), ("top", "kernel"): (4, 2), ("top", "bias"): (2,),
}  # fmt: skip
Change = Callable[[float, list, int, float], float]  # of a weight: by its gradient, memory, step and rate


def steps(rng: np.random.Generator) -> Iterator[tuple]:
    """(title, what the package computes, what it should be, tolerance) for each optimizer."""
    weights, gradients = ({key: rng.standard_normal(shape) for key, shape in SHAPES.items()} for _ in range(2))
    cases: list[tuple[str, Any, Change]] = [
        ("SGD.step", optimizers.SGD(RATE, **SETTINGS), lambda g, m, step, rate: -rate * g),
        ("SGD.step, momentum", optimizers.SGD(RATE, FIRST, **SETTINGS), _momentum),
        ("SGD.step, nesterov", optimizers.SGD(RATE, FIRST, nesterov=True, **SETTINGS), _nesterov),
        ("RMSprop.step", optimizers.RMSprop(RATE, SECOND, EPSILON, **SETTINGS), _rmsprop),
        ("Adam.step", optimizers.Adam(RATE, FIRST, SECOND, EPSILON, **SETTINGS), _adam),
    ]
    for title, optimizer, change in cases:
        wanted = [np.vectorize(partial(_after, change, key))(weights[key], gradients[key]) for key in SHAPES]
        yield f"optimizers.py: {title}", partial(_stepped, optimizer, weights, gradients), wanted, 1e-9


def _stepped(optimizer: Any, weights: dict, gradients: dict) -> tuple:
    """All weights after the optimizer's steps."""
    model = Sequential([layers.Dense(4, name="low"), layers.Dense(2, name="top")], (3,), seed=0, dtype="float64")
    for (layer, name), values in weights.items():
        model.get_layer(layer).parameters[name] = values
    model.segments()
    for times in SLOPES:
        for layer in model.layers:
            layer.gradients = {name: times * gradients[layer.name, name] for name in layer.parameters}
        optimizer.step(model)
    return tuple(model.get_layer(layer).parameters[name].copy() for layer, name in weights)


def _after(change: Change, key: tuple[str, str], w: float, g: float) -> float:
    """One weight after all steps."""
    rate = RATE / 2 if key[0] == "low" else RATE
    memory = [0.0, 0.0]
    for step, times in enumerate(SLOPES, 1):
        w -= rate * DECAY * w if key[1] == "kernel" else 0.0
        w += change(times * g, memory, step, rate)
    return w


def _momentum(g: float, memory: list, step: int, rate: float) -> float:
    memory[0] = FIRST * memory[0] - rate * g
    return memory[0]


def _nesterov(g: float, memory: list, step: int, rate: float) -> float:
    return FIRST * _momentum(g, memory, step, rate) - rate * g


def _rmsprop(g: float, memory: list, step: int, rate: float) -> float:
    memory[1] = SECOND * memory[1] + (1 - SECOND) * g**2
    return -rate * g / math.sqrt(memory[1] + EPSILON)


def _adam(g: float, memory: list, step: int, rate: float) -> float:
    """With epsilon beside the root of the uncorrected mean, as in section 2 of the paper and in Keras."""
    memory[0] = FIRST * memory[0] + (1 - FIRST) * g
    memory[1] = SECOND * memory[1] + (1 - SECOND) * g**2
    corrected = rate * math.sqrt(1 - SECOND**step) / (1 - FIRST**step)
    return -corrected * memory[0] / (math.sqrt(memory[1]) + EPSILON)
