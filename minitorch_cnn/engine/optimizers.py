"""Optimizers: how a gradient changes a parameter. Defaults and rules are Keras's.

Of layers an optimizer knows nothing but the names. The model hands it its trainable parameters as a few long vectors
(`parameters.py`), so a step is one pass over each, and what is frozen is simply not there: no gradient, no state, no
weight decay.
"""

import math
from numbers import Real

from minitorch_cnn.arrays import accelerated, moved, namespace
from minitorch_cnn.engine.clipping import clip_to_norm
from minitorch_cnn.engine.multipliers import checked_multipliers, factors
from minitorch_cnn.engine.schedules import Constant, Schedule
from minitorch_cnn.errors import ArgumentError


@accelerated
def sgd_update(w, g, m, rate, momentum, nesterov, decay):
    """m = momentum m - rate g;  w = (1 - rate decay) w + m, or with nesterov + momentum m - rate g. In place."""
    if decay:
        w *= 1 - rate * decay
    if m is None:
        w -= rate * g
        return
    m *= momentum
    m -= rate * g
    w += momentum * m - rate * g if nesterov else m


@accelerated
def rmsprop_update(w, g, v, rate, rho, epsilon, decay):
    """v = rho v + (1 - rho) g^2;  w = (1 - rate decay) w - rate g / sqrt(v + epsilon). In place."""
    if decay:
        w *= 1 - rate * decay
    v *= rho
    v += (1 - rho) * g * g
    w -= rate * g / namespace(w).sqrt(v + epsilon)


@accelerated
def adam_update(w, g, m, v, rate, beta_1, beta_2, epsilon, decay, corrected_rate):
    """m, v: moving means of g and g^2;  w = (1 - rate decay) w - corrected_rate m / (sqrt(v) + epsilon). In place."""
    if decay:
        w *= 1 - rate * decay
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    w -= corrected_rate * m / (namespace(w).sqrt(v) + epsilon)


class Optimizer:
    """Base. `slots` names the vectors an optimizer keeps beside each parameter (momentum, ...).

    `learning_rate` is a number or a schedule; `weight_decay` shrinks each weight by learning rate x decay a step,
    apart from the gradient (Loshchilov and Hutter 2019), as in Keras. `clip_norm` shortens the gradient of all
    trainable parameters together to that length, in place, where it is longer (`clipping.py`). `multipliers` {layer
    name or beginning: factor} scales the learning rate of those layers (`multipliers.py`).
    """

    slots: tuple = ()
    rate_count = 1

    def __init__(self, learning_rate, weight_decay=0.0, clip_norm=None, multipliers=None):
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        if clip_norm is not None and not (isinstance(clip_norm, Real) and clip_norm > 0):
            raise ArgumentError(f"clip_norm: expected a number above 0, got {clip_norm!r}")
        self.clip_norm = None if clip_norm is None else float(clip_norm)
        self.steps = 0  # taken so far
        self._pieces = []  # (segment, its state, its multiplier)
        self._layers = {}  # the layers of the model met last, by name
        self.multipliers = multipliers

    @property
    def learning_rate(self):
        """The rate of the next step."""
        return self.schedule(self.steps)

    @learning_rate.setter
    def learning_rate(self, rate):
        if not isinstance(rate, Schedule) and not (isinstance(rate, Real) and rate >= 0):
            raise ArgumentError(f"learning_rate: expected a number not below 0 or a schedule, got {rate!r}")
        self.schedule = rate if isinstance(rate, Schedule) else Constant(float(rate))

    @property
    def multipliers(self):
        """{layer name or beginning: factor}; names are checked at the next step."""
        return self._multipliers

    @multipliers.setter
    def multipliers(self, multipliers):
        self._multipliers = checked_multipliers(multipliers)
        self._segments = None  # to be split anew

    def step(self, model):
        """Update every trainable parameter of `model` from its gradient."""
        if not self.follows(model):
            self._follow(model)
        if self.clip_norm is not None:
            clip_to_norm([segment.gradients for segment in model.segments()], self.clip_norm)
        self.apply(self.next_rates())

    def follows(self, model):
        """Whether the state is laid out for what `model` trains now."""
        return model.segments() is self._segments

    def next_rates(self):
        """What changes from step to step, for each piece that is updated and for the coming step, which is counted."""
        rate = float(self.learning_rate)
        self.steps += 1
        return [self.rates(rate * factor) for _, _, factor in self._pieces]

    def apply(self, rates):
        """The updates themselves, with the `rates` of each piece: numbers, or arrays of one number on the device."""
        for (segment, state, _), numbers in zip(self._pieces, rates):
            self.update(segment.parameters, segment.gradients, state, *numbers)

    def rate_shape(self):
        """How many pieces `next_rates` has, and how many numbers each."""
        return len(self._pieces), self.rate_count

    def rates(self, rate):
        """What `update` is given at the end, for the learning rate of the step that was just counted."""
        return (rate,)

    def update(self, w, g, state, rate):
        """Change the vector `w` in place by its gradient `g`; `state` maps each slot to a vector like `w`."""
        raise NotImplementedError

    def _follow(self, model):
        """Lay the state out for what `model` trains; what was trained before keeps its own, what is new gets zeros.

        A new layer may have the name of one that was cut off, so what counts is that it is the same layer.
        """
        factor_of = factors(self.multipliers, model.layers)
        layers = {layer.name: layer for layer in model.layers}
        before = {key: array for key, array in self.state().items() if self._layers[key[1]] is layers.get(key[1])}
        self._layers = layers
        self._segments, self._pieces = model.segments(), []
        for whole in self._segments:
            for factor, segment in whole.split(factor_of):
                xp = namespace(segment.parameters)
                state = {slot: xp.zeros_like(segment.parameters) for slot in self.slots}
                self._pieces.append((segment, state, factor))
        self.load_state(before)

    def state(self):
        """{(slot, layer, parameter): array}, views of what is kept for each trained parameter."""
        return {
            (slot, *key): state[slot][start:stop]
            for segment, state, _ in self._pieces
            for key, (start, stop) in segment.spans.items()
            for slot in state
        }

    def load_state(self, values):
        """Copy `values`, in the form of `state()`, into the state; what is not trained now is passed over."""
        for key, array in self.state().items():
            if key in values:
                array[...] = moved(values[key], namespace(array)).reshape(-1)

    def prepare(self, model):
        """Lay out the state for `model` before the first step, so that a checkpoint's state can be loaded into it."""
        self._follow(model)

    def config(self):
        """The constructor's arguments, ready for JSON."""
        names = ("momentum", "nesterov", "rho", "beta_1", "beta_2", "epsilon", "weight_decay")
        options = {name: getattr(self, name) for name in names if hasattr(self, name)}
        only_if_given = {"clip_norm": self.clip_norm, "multipliers": self.multipliers}
        return options | {name: value for name, value in only_if_given.items() if value}

    def __repr__(self):
        return f"{type(self).__name__}({self.schedule}, {', '.join(f'{k}={v!r}' for k, v in self.config().items())})"


class SGD(Optimizer):
    """Stochastic gradient descent, with `momentum` and Nesterov's look ahead."""

    def __init__(
        self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=None, multipliers=None
    ):
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers)
        if not 0 <= momentum <= 1:
            raise ArgumentError(f"momentum: expected a number in [0, 1], got {momentum!r}")
        self.momentum, self.nesterov = momentum, nesterov
        self.slots = ("momentum",) if momentum else ()

    def update(self, w, g, state, rate):
        sgd_update(w, g, state.get("momentum"), rate, self.momentum, self.nesterov, self.weight_decay)


class RMSprop(Optimizer):
    """Divides each gradient by the root of its moving mean square (Hinton's lecture 6e)."""

    slots = ("mean_square",)

    def __init__(
        self, learning_rate=0.001, rho=0.9, epsilon=1e-7, weight_decay=0.0, clip_norm=None, multipliers=None
    ):
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers)
        self.rho, self.epsilon = rho, epsilon

    def update(self, w, g, state, rate):
        rmsprop_update(w, g, state["mean_square"], rate, self.rho, self.epsilon, self.weight_decay)


class Adam(Optimizer):
    """Moving means of the gradient and its square, corrected for their start at zero (Kingma and Ba 2015)."""

    slots = ("mean", "mean_square")
    rate_count = 2

    def __init__(
        self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0, clip_norm=None,
        multipliers=None,
    ):  # fmt: skip
        super().__init__(learning_rate, weight_decay, clip_norm, multipliers)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def rates(self, rate):
        return rate, rate * math.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)

    def update(self, w, g, state, rate, corrected):
        m, v = state["mean"], state["mean_square"]
        adam_update(w, g, m, v, rate, self.beta_1, self.beta_2, self.epsilon, self.weight_decay, corrected)


OPTIMIZERS = {optimizer.__name__: optimizer for optimizer in (SGD, RMSprop, Adam)}
