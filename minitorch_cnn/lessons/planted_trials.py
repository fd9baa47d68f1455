"""Where a planted bug is looked for: shapes and options drawn at random, the same for the class with it and without.

A shape may hide the bug: without padding there is none to cut off, windows that do not overlap have nothing to add up.
There the two classes compute the very same numbers, which is how it is told.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minitorch_cnn.engine import layers
from minitorch_cnn.gradients.check import gradient_check
from minitorch_cnn.gradients.gallery import distinct
from minitorch_cnn.gradients.problem import Problem, model_of
from minitorch_cnn.lessons.frozen_check import frozen_check
from minitorch_cnn.network.sequential import Sequential

SAME = 1e-9  # of the largest number: so far two ways to compute one thing may be apart
MOST = 200


@dataclass(frozen=True)
class Trial:
    """One random case.

    Fields: `check` (kind, curves) -> the report on a layer, loss or optimizer of that class; `computes` (kind) ->
    {name: array}, what it makes of the case.
    """

    check: Callable
    computes: Callable

    def shows(self, planted, correct):
        """Whether the class with the bug computes other numbers than the one without."""
        wrong, right = self.computes(planted), self.computes(correct)
        return any(not _same(wrong[name], right[name]) for name in right)


def _same(one, other):
    return one.shape == other.shape and bool(np.abs(one - other).max(initial=0) <= SAME * np.abs(other).max(initial=0))


def _layer(make, x):
    """The trial of a layer that `make` builds of a class, on the input x."""

    def check(kind, curves=False):
        return gradient_check(make(kind), x, training=True, most=MOST, curves=curves)

    def computes(kind):
        upstream = np.random.default_rng(0)
        model = model_of(make(kind), x.shape[1:])
        dy = upstream.standard_normal((len(x), *model.output_shape))
        found = Problem(model, x.copy(), None, None, True, dy).arrays()
        return {name.rpartition("/")[2]: gradient for name, _, gradient in found}  # without the layer's name

    return Trial(check, computes)


def _image(rng, least=3):
    return int(rng.integers(1, 4)), *(int(size) for size in rng.integers(least, 8, 2)), int(rng.integers(1, 4))


def _row(rng):
    return int(rng.integers(1, 5)), int(rng.integers(2, 9))


def _pair(rng, low, high):
    return tuple(int(size) for size in rng.integers(low, high + 1, 2))


def _sides(rng, window):
    """Padding of each side by less than the window."""
    return tuple(tuple(int(side) for side in rng.integers(0, reach, 2)) for reach in window)


def convolution(activation=None):
    """A convolution with any window up to 3x3, strides up to 2, and padding of each side by itself."""

    def draw(rng):
        x, window, strides = distinct(_image(rng), rng), _pair(rng, 1, 3), _pair(rng, 1, 2)
        options = int(rng.integers(1, 5)), window, strides, _sides(rng, window), activation
        return _layer(lambda kind: kind(*options), x)

    return draw


def pool(rng):
    """A max pool of any window up to 3x3, strides up to 3, without padding or with."""
    x, window, strides = distinct(_image(rng), rng), _pair(rng, 1, 3), _pair(rng, 1, 3)
    padding = "same" if rng.integers(2) else "valid"
    return _layer(lambda kind: kind(window, strides, padding), x)


def image(*options):
    """A layer that takes any image."""
    return lambda rng: _of(distinct(_image(rng), rng), options)


def row(rng):
    """A layer that takes any row."""
    return _of(distinct(_row(rng), rng), ())


def dense(rng):
    """A dense layer of any number of units."""
    return _of(distinct(_row(rng), rng), (int(rng.integers(1, 7)),))


def square_dense(rng):
    """A dense layer with as many units as inputs."""
    x = distinct(_row(rng), rng)
    return _of(x, (x.shape[1],))


def _of(x, options):
    return _layer(lambda kind: kind(*options), x)


def _batch(rng):
    N, D = _row(rng)
    return distinct((N, D), rng), rng.integers(0, 3, N), int(rng.integers(1 << 30))


def loss(rng):
    """A loss on top of a small network."""
    x, labels, seed = _batch(rng)

    def model():
        return Sequential([layers.Dense(4, "tanh"), layers.Dense(3, "softmax")], x.shape[1:], seed, "float64")

    def check(kind, curves=False):
        return gradient_check(model(), x, labels, kind(), most=MOST, curves=curves)

    def computes(kind):
        return {name: gradient for name, _, gradient in Problem(model(), x.copy(), labels, kind(), True).arrays()}

    return Trial(check, computes)


def freezing(rng):
    """An optimizer's step on a network whose first layer is frozen."""
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
