"""A mixture of the weights before and after fine-tuning, which often answers better than either.

Fine-tuning moves pretrained weights a little, and on the way between the two ends the loss is low everywhere. A point
between them has learned from the new images, and has forgotten less of what it knew (Wortsman et al. 2022,
arXiv:2109.01903, who call it WiSE-FT, a weight-space ensemble).
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.arguments import share
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.training.ema import EMA
from minitorch_cnn.training.other_weights import OtherWeights, Weights


class WiSE(OtherWeights):
    """Keep (1 - mixture) of the weights that training began with, and `mixture` of those that it has reached.

    The validation images are measured with the mixture, callbacks at the end of an epoch see it, and the model keeps it
    when training ends; in between it trains on with its own weights. If Ctrl-C or another exception ends the training,
    the model has its own weights. After `EMA` it mixes the averages. `fit` raises ArgumentError unless it comes after
    EMA, and before the callbacks that restore the best epoch's weights.
    """

    def __init__(self, mixture: float = 0.5) -> None:
        self.mixture = share(mixture, "WiSE: mixture")
        super().__init__()

    def on_train_begin(self, trainer: Any) -> None:
        super().on_train_begin(trainer)
        later = trainer.callbacks[trainer.callbacks.index(self) :]
        if any(isinstance(callback, EMA) for callback in later):
            raise ArgumentError("WiSE: expected it after EMA among the callbacks")

    def others(self, weights: Weights) -> Weights:
        return {key: old + self.mixture * (weights[key] - old) for key, old in self.kept.items()}
