"""The base class of callbacks that measure and keep other weights than those that training goes on with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.training.callback import Callback

Weights = dict[tuple[str, str], Array]  # (layer, parameter): array


class OtherWeights(Callback):
    """Base class: override `others`; `kept` are the weights that it needs for that, and that checkpoints hold.

    At first these are the weights of the layers that learn when training begins.

    The validation images are measured with the other weights, callbacks at the end of an epoch see them, and the model
    keeps them when training ends; in between it trains on with its own. If Ctrl-C or another exception ends the
    training, the model has its own weights. `fit` raises ArgumentError unless the callback comes before those that
    restore the best epoch's weights.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.kept: Weights = {}
        self.own: Weights = {}  # the model's weights, while it has the others

    def others(self, weights: Weights) -> Weights:
        """The weights to measure and to keep, from those that training has reached; others stay as they are."""
        raise NotImplementedError(f"{type(self).__name__}: define others(weights)")

    def on_train_begin(self, trainer: Any) -> None:
        weights, name = weights_of(trainer.model.layers), type(self).__name__
        if not self.kept:
            self.kept = {key: array.copy() for key, array in weights_that_learn(trainer.model).items()}
        if any(key not in weights or weights[key].shape != array.shape for key, array in self.kept.items()):
            raise CheckpointError(f"{name}: the weights in the checkpoint are not weights of this model")
        self.kept = {key: moved(array, namespace(weights[key])) for key, array in self.kept.items()}
        for callback in itertools.takewhile(lambda each: each is not self, trainer.callbacks):
            if getattr(callback, "restore_best", False):  # its weights would be replaced by the others
                raise ArgumentError(f"{name}: expected it before {type(callback).__name__} among the callbacks")

    def on_evaluation_begin(self, trainer: Any) -> None:
        weights = weights_of(trainer.model.layers)
        others = self.others(weights)
        self.own = {key: weights[key].copy() for key in others}
        _put(trainer.model, others)

    def on_evaluation_end(self, trainer: Any) -> None:
        _put(trainer.model, self.own)
        self.own = {}

    def on_train_end(self, trainer: Any) -> None:
        _put(trainer.model, self.others(weights_of(trainer.model.layers)))

    def state(self) -> tuple[dict, dict[str, Any]]:
        return dict(self.kept), {}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        self.kept = dict(arrays)


def weights_of(layers: Iterable[Any]) -> Weights:
    """All weights of these layers."""
    return {(layer.name, name): array for layer in layers for name, array in layer.parameters.items()}


def weights_that_learn(model: Any) -> Weights:
    """The weights of the layers that learn."""
    return weights_of(layer for layer in model.layers if layer.learns)


def _put(model: Any, weights: Mapping[tuple[str, str], Array]) -> None:
    for (layer, name), array in weights.items():
        model.get_layer(layer).parameters[name] = array
