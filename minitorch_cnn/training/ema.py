"""The exponential moving average of the weights: it ends nearer to the middle of the valley than any single step.

Each step of SGD follows the gradient of a few images, so the weights wander around the point that all images together
would lead to. Their moving average wanders less, and costs one pass over the weights a step (Polyak and Juditsky 1992).
"""

from __future__ import annotations

import itertools
from typing import Any

from minitorch_cnn.arguments import share
from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.training.callback import Callback
from minitorch_cnn.training.facts import is_whole


class EMA(Callback):
    """Average the weights over the steps: average = decay average + (1 - decay) weights, after each of them.

    The validation images are measured with the averages, callbacks at the end of an epoch see them, and the model keeps
    them when training ends; in between it trains on with its own weights. If Ctrl-C or another exception ends the
    training, the model has its own weights. The statistics of batch norms are averaged as well. In step n the decay is
    at most (1 + n) / (10 + n), so that the first weights are soon forgotten. `fit` raises ArgumentError unless it comes
    before the callbacks that restore the best epoch's weights.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = share(decay, "EMA: decay")
        self.reset()

    def reset(self) -> None:
        self.averages: dict[tuple[str, str], Array] = {}
        self.own: dict[tuple[str, str], Array] = {}  # the model's weights, while it has the averages
        self.steps = 0

    def on_train_begin(self, trainer: Any) -> None:
        weights = _weights(trainer.model)
        if not self.averages:
            self.averages = {key: array.copy() for key, array in weights.items()}
        shapes, kept = ({key: array.shape for key, array in each.items()} for each in (weights, self.averages))
        if shapes != kept:
            raise CheckpointError("EMA: the averages in the checkpoint are not weights of this model")
        self.averages = {key: moved(array, namespace(weights[key])) for key, array in self.averages.items()}
        for callback in itertools.takewhile(lambda each: each is not self, trainer.callbacks):
            if getattr(callback, "restore_best", False):  # its weights would be replaced by the last averages
                raise ArgumentError(f"EMA: expected it before {type(callback).__name__} among the callbacks")

    def on_batch_end(self, trainer: Any) -> None:
        self.steps += 1
        follow = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for key, array in _weights(trainer.model).items():
            self.averages[key] += follow * (array - self.averages[key])

    def on_evaluation_begin(self, trainer: Any) -> None:
        self.own = {key: array.copy() for key, array in _weights(trainer.model).items()}
        self.on_train_end(trainer)

    def on_evaluation_end(self, trainer: Any) -> None:
        _put(trainer.model, self.own)
        self.own = {}

    def on_train_end(self, trainer: Any) -> None:
        _put(trainer.model, self.averages)

    def state(self) -> tuple[dict, dict[str, Any]]:
        return dict(self.averages), {"steps": self.steps}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        if not is_whole(facts["steps"]):
            raise ValueError("EMA: its number of steps is not valid")
        self.averages, self.steps = dict(arrays), facts["steps"]


def _weights(model):
    return {(layer.name, name): array for layer in model.layers for name, array in layer.parameters.items()}


def _put(model, weights):
    for (layer, name), array in weights.items():
        model.get_layer(layer).parameters[name] = array
