"""Random trials for a planted bug: the same shapes and options for the class with the bug and for the correct one.

Some shapes hide a bug. For example, a missing crop changes nothing if there is no padding. On such a shape both classes
compute the same numbers, so comparing these numbers shows whether the bug is hidden.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_cnn.engine import layers
from minitorch_cnn.gradients.borrowed import model_of
from minitorch_cnn.gradients.check import Report, gradient_check
from minitorch_cnn.gradients.gallery import distinct
from minitorch_cnn.gradients.problem import Problem
from minitorch_cnn.lessons.frozen_check import FrozenReport, frozen_check
from minitorch_cnn.network.sequential import Sequential

SAME = 1e-9  # relative to the largest number: how far two correct ways of computing the same array may differ
MOST = 200  # numbers of each array that a check compares one by one


@dataclass(frozen=True)
class Trial:
    """One random case.

    Fields: `check` (kind, curves=False) returns the report on a layer, loss or optimizer of the class `kind`;
    `computes` (kind) returns the arrays that this class computes, as {name: array}.
    """

    check: Callable[..., Report | FrozenReport]
    computes: Callable[[type], dict[Any, np.ndarray]]

    def shows(self, planted: type, correct: type) -> bool:
        """Whether the class with the bug computes different numbers than the correct one."""
        wrong, right = self.computes(planted), self.computes(correct)
        return any(not _same(wrong[name], right[name]) for name in right)


Draw = Callable[[np.random.Generator], Trial]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.abs(one - other).max(initial=0) <= SAME * np.abs(other).max(initial=0))


def _layer(make: Callable[[type], layers.Layer], x: np.ndarray) -> Trial:
    """The trial of the layer that `make` builds from a class, on the input x."""

    def check(kind, curves=False):
        return gradient_check(make(kind), x, training=True, most=MOST, curves=curves)

    def computes(kind):
        upstream = np.random.default_rng(0)
        model = model_of(make(kind), x.shape[1:])
        dy = upstream.standard_normal((len(x), *model.output_shape))
        found = Problem(model, x.copy(), None, None, True, [dy]).arrays()
        return {name.rpartition("/")[2]: gradient for name, _, gradient in found}  # without the layer's name

    return Trial(check, computes)


def _image(rng, least=3):
    return int(rng.integers(1, 4)), *(int(size) for size in rng.integers(least, 8, 2)), int(rng.integers(1, 4))


def _row(rng):
    return int(rng.integers(1, 5)), int(rng.integers(2, 9))


def _pair(rng, low, high):
    return tuple(int(size) for size in rng.integers(low, high + 1, 2))


def _sides(rng, window):
    """Padding of each side, smaller than the window."""
    return tuple(tuple(int(side) for side in rng.integers(0, reach, 2)) for reach in window)


def convolution(activation: str | None = None) -> Draw:
    """Draws a convolution with a window up to 3x3, strides up to 2, and its own padding on each side."""

    def draw(rng: np.random.Generator) -> Trial:
        x, window, strides = distinct(_image(rng), rng), _pair(rng, 1, 3), _pair(rng, 1, 2)
        options = int(rng.integers(1, 5)), window, strides, _sides(rng, window), activation
        return _layer(lambda kind: kind(*options), x)

    return draw


def pool(rng: np.random.Generator) -> Trial:
    """A max pool with a window up to 3x3, strides up to 3, with or without padding."""
    x, window, strides = distinct(_image(rng), rng), _pair(rng, 1, 3), _pair(rng, 1, 3)
    padding = "same" if rng.integers(2) else "valid"
    return _layer(lambda kind: kind(window, strides, padding), x)


def image(*options: Any) -> Draw:
    """Draws a layer, built with these options, that accepts images of any shape."""
    return lambda rng: _of(distinct(_image(rng), rng), options)


def row(rng: np.random.Generator) -> Trial:
    """A layer that accepts vectors of any length."""
    return _of(distinct(_row(rng), rng), ())


def dense(rng: np.random.Generator) -> Trial:
    """A dense layer with any number of units."""
    return _of(distinct(_row(rng), rng), (int(rng.integers(1, 7)),))


def square_dense(rng: np.random.Generator) -> Trial:
    """A dense layer with as many units as inputs."""
    x = distinct(_row(rng), rng)
    return _of(x, (x.shape[1],))


def _of(x, options):
    return _layer(lambda kind: kind(*options), x)


def _batch(rng):
    N, D = _row(rng)
    return distinct((N, D), rng), rng.integers(0, 3, N), int(rng.integers(1 << 30))


def loss(rng: np.random.Generator) -> Trial:
    """A loss on top of a small network."""
    x, labels, seed = _batch(rng)

    def model():
        return Sequential([layers.Dense(4, "tanh"), layers.Dense(3, "softmax")], x.shape[1:], seed, "float64")

    def check(kind, curves=False):
        return gradient_check(model(), x, labels, kind(), most=MOST, curves=curves)

    def computes(kind):
        return {name: gradient for name, _, gradient in Problem(model(), x.copy(), labels, kind(), True).arrays()}

    return Trial(check, computes)


def freezing(rng: np.random.Generator) -> Trial:
    """One optimizer step on a network whose first layer is frozen."""
    x, labels, seed = _batch(rng)

    def stepped(kind, look):
        model = Sequential([layers.Dense(5, "relu"), layers.Dense(3, "softmax")], x.shape[1:], seed)
        model.freeze(through="dense_1")
        optimizer = kind(0.1, momentum=0.9)
        optimizer.batch = (x, labels, model.default_loss())
        return look(model, optimizer)

    def check(kind, curves=False):
        return stepped(kind, lambda model, optimizer: frozen_check(model, x, labels, optimizer))

    def computes(kind):
        def parameters(model, optimizer):
            model.train_step(x, labels, model.default_loss(), optimizer)
            return {name: np.array(array, "float64") for name, array in model.state().items() if name[1] != "draws"}

        return stepped(kind, parameters)

    return Trial(check, computes)
