"""The exponential moving average of the weights: it ends nearer to the middle of the valley than any single step.

Each step of SGD follows the gradient of a few images, so the weights wander around the point that all images together
would lead to. Their moving average wanders less, and costs one pass over the weights a step (Polyak and Juditsky 1992).
"""

from __future__ import annotations

from typing import Any

from minitorch_cnn.arguments import share
from minitorch_cnn.training.facts import is_whole
from minitorch_cnn.training.other_weights import OtherWeights, Weights, weights_that_learn


class EMA(OtherWeights):
    """Average the weights over the steps: average = decay average + (1 - decay) weights, after each of them.

    The validation images are measured with the averages, callbacks at the end of an epoch see them, and the model keeps
    them when training ends; in between it trains on with its own weights. If Ctrl-C or another exception ends the
    training, the model has its own weights. The statistics of batch norms are averaged as well. In step n the decay is
    at most (1 + n) / (10 + n), so that the first weights are soon forgotten. `fit` raises ArgumentError unless it comes
    before the callbacks that restore the best epoch's weights.
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = share(decay, "EMA: decay")
        super().__init__()

    def reset(self) -> None:
        super().reset()
        self.steps = 0

    def on_batch_end(self, trainer: Any) -> None:
        self.steps += 1
        follow = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for key, array in weights_that_learn(trainer.model).items():
            if key in self.kept:
                self.kept[key] += follow * (array - self.kept[key])
            else:  # its layer has just been unfrozen
                self.kept[key] = array.copy()

    def others(self, weights: Weights) -> Weights:
        return self.kept

    def state(self) -> tuple[dict, dict[str, Any]]:
        return dict(self.kept), {"steps": self.steps}

    def load_state(self, arrays: dict, facts: dict[str, Any]) -> None:
        if not is_whole(facts["steps"]):
            raise ValueError("EMA: its number of steps is not valid")
        self.kept, self.steps = dict(arrays), facts["steps"]
