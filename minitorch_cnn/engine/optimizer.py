"""What all optimizers have in common: which parameters a step changes, at which rate, and what it remembers of them.

An optimizer knows the layers only by name. The model gives it all trainable parameters as a few long vectors
(`network/parameters.py`), so a step is one pass over each. Frozen parameters are not among them, so they get no
gradient, no state and no weight decay.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minitorch_cnn.arguments import above_zero, at_least_zero, checked_multipliers, flag, names_in, number, share
from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.engine.clipping import clip_to_norm
from minitorch_cnn.engine.multipliers import excluded, factors
from minitorch_cnn.engine.schedules import Constant, Schedule


def _between_0_and_1(value: Any, name: str) -> float:
    return number(value, name, "a number in [0, 1]", lambda v: 0 <= v <= 1)


# What a setting may be, in the constructor and whenever it is changed later.
SETTINGS: dict[str, Callable[[Any, str], Any]] = {
    "momentum": _between_0_and_1, "nesterov": flag, "rho": share, "beta_1": share, "beta_2": share,
    "epsilon": at_least_zero, "weight_decay": at_least_zero,
    "clip_norm": lambda value, name: None if value is None else above_zero(value, name),
    "multipliers": lambda value, name: checked_multipliers(value), "exclude_from_weight_decay": names_in,
}  # fmt: skip


class Optimizer:
    """Base class; `slots` names the vectors that an optimizer keeps for each parameter (momentum, ...).

    Arguments: `learning_rate` is a number or a schedule; `weight_decay` shrinks each weight by learning rate x decay
    per step, separately from the gradient (Loshchilov and Hutter 2019), as in Keras; `clip_norm` is the largest allowed
    norm of the gradient of all trainable parameters together, which is scaled down in place if it is longer
    (`clipping.py`); `multipliers` {layer, its beginning, or a kind of parameter: factor} scales the learning rate of
    those (`multipliers.py`); `exclude_from_weight_decay` lists parameters or layers that do not decay, usually
    ["bias", "gamma", "beta"]; by default all of them do. All of these may be changed between two steps.
    """

    slots: tuple = ()
    rate_count = 1

    def __init__(
        self, learning_rate: float | Schedule,
        weight_decay: float = 0.0, clip_norm: float | None = None, multipliers: dict[str, float] | None = None,
        exclude_from_weight_decay: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.steps = 0  # taken so far
        self._pieces: list = []  # (segment, its state, its multiplier)
        self._layers: dict = {}  # the layers of the last model, by name
        self._decays: list = []  # whether weight decay applies to each piece
        self.multipliers = multipliers
        self.exclude_from_weight_decay = exclude_from_weight_decay

    def __setattr__(self, name: str, value: Any) -> None:
        """Check a setting, and let the next step lay out the state for it; ArgumentError if it is out of range."""
        if name in SETTINGS:
            value = SETTINGS[name](value, name)
            self._segments: Any = None
        super().__setattr__(name, value)

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step."""
        return self.schedule(self.steps)

    @learning_rate.setter
    def learning_rate(self, rate: float | Schedule) -> None:
        expected = "a number of at least 0 or a schedule"
        if not isinstance(rate, Schedule):
            rate = Constant(number(rate, "learning_rate", expected, lambda v: 0 <= v < math.inf))
        self.schedule = rate

    def step(self, model: Any) -> None:
        """Update every trainable parameter of `model` from its gradient."""
        if not self.follows(model):
            self._follow(model)
        if self.clip_norm is not None:
            clip_to_norm([segment.gradients for segment in model.segments()], self.clip_norm)
        self.apply(self.next_rates())

    def follows(self, model: Any) -> bool:
        """Whether the state matches the parameters that `model` trains now."""
        return model.segments() is self._segments

    def next_rates(self) -> list[tuple]:
        """Count the coming step, and return for each piece of parameters the numbers that change from step to step."""
        rate = float(self.learning_rate)
        self.steps += 1
        return [self.rates(rate * factor) for _, _, factor in self._pieces]

    def apply(self, rates: Iterable[Sequence]) -> None:
        """Update every piece with its own `rates`: numbers, or arrays of one number on the device."""
        without = copy.copy(self)
        without.weight_decay = 0.0
        for (segment, state, _), decays, numbers in zip(self._pieces, self._decays, rates):
            (self if decays else without).update(segment.parameters, segment.gradients, state, *numbers)

    def rate_shape(self) -> tuple[int, int]:
        """How many pieces `next_rates` returns, and how many numbers for each."""
        return len(self._pieces), self.rate_count

    def rates(self, rate: float) -> tuple:
        """The last arguments of `update`, for the learning rate of the step that was just counted."""
        return (rate,)

    def matrix_shape(self, layer: Any, name: str) -> tuple[int, int] | None:
        """The shape in which `update` gets this parameter alone; None: as part of a vector, with its neighbours."""
        return None

    def update(self, w: Array, g: Array, state: dict[str, Array], rate: Any) -> None:
        """Update the vector `w` in place with its gradient `g`; `state` maps each slot to a vector like `w`."""
        raise NotImplementedError(f"{type(self).__name__}: define update")

    def _follow(self, model):
        """Lay out the state for the parameters that `model` trains: old ones keep their state, new ones start at zero.

        A new layer may have the name of one that was cut off, so layers are compared by identity, not by name. For a
        model that has none of the layers before, the optimizer begins anew, and so does its schedule.
        """
        factor_of = factors(self.multipliers, model.layers)
        spared = excluded(self.exclude_from_weight_decay, model.layers)
        layers = {layer.name: layer for layer in model.layers}
        before = {key: array for key, array in self.state().items() if self._layers[key[1]] is layers.get(key[1])}
        if self._layers and not any(self._layers.get(name) is layer for name, layer in layers.items()):
            self.steps = 0
        self._layers = layers
        self._segments, self._pieces, self._decays = model.segments(), [], []

        def group(key):  # neighbours of the same group become one vector, a matrix stays alone
            shape = self.matrix_shape(layers[key[0]], key[1])
            return factor_of[key], key not in spared, shape or (-1,), key if shape else None

        for whole in self._segments:
            for (factor, decays, shape, _), part in whole.split(group):
                segment = part.reshaped(shape)
                xp = namespace(segment.parameters)
                state = {slot: xp.zeros_like(segment.parameters) for slot in self.slots}
                self._pieces.append((segment, state, factor))
                self._decays.append(decays)
        self.load_state(before)

    def state(self) -> dict[tuple[str, ...], Array]:
        """{(slot, layer, parameter): array}, views of the state of each trained parameter."""
        return {
            (slot, *key): state[slot].reshape(-1)[start:stop]
            for segment, state, _ in self._pieces
            for key, (start, stop) in segment.spans.items()
            for slot in state
        }

    def load_state(self, values: Mapping) -> None:
        """Copy `values`, in the form of `state()`, into the state; parameters that are not trained now are skipped."""
        for key, array in self.state().items():
            if key in values:
                array[...] = moved(values[key], namespace(array)).reshape(-1)

    def prepare(self, model: Any) -> None:
        """Lay out the state for `model` before the first step, so that a checkpoint's state can be loaded into it."""
        self._follow(model)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments except the learning rate, ready for JSON."""
        names = ("momentum", "nesterov", "rho", "beta_1", "beta_2", "epsilon", "weight_decay")
        options = {name: getattr(self, name) for name in names if hasattr(self, name)}
        only_if_given = ("clip_norm", "multipliers", "exclude_from_weight_decay")
        return options | {name: getattr(self, name) for name in only_if_given if getattr(self, name)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule}, {', '.join(f'{k}={v!r}' for k, v in self.config().items())})"
