"""What every engine receives: a network as plain data, its weights, a batch, and what to compute.

Everything is in Keras's layouts: images (N, H, W, C), kernels (KH, KW, C, K) and (in, out). It consists of NumPy arrays
and JSON alone, so an engine's process imports no other engine's library.
"""

import json
from dataclasses import dataclass

import numpy as np

LOSSES = ("cross_entropy", "binary_cross_entropy", "weighted_sum")
MOMENTUM = 0.9  # all training steps end with an update of SGD with Nesterov momentum


@dataclass
class Problem:
    """A training step or a forward pass with one batch.

    `config` is the model's description, as `Sequential.config()` returns it; `shapes` has the output shape of each
    layer. `loss` is one of LOSSES, or None for a forward pass. `weighted_sum` is sum(y * target) / N, a loss for a
    network without a top. `target` holds class numbers (N,), zeros and ones (N, 1), or weights in the output's shape.
    """

    config: dict
    shapes: dict  # {layer name: shape without N}
    weights: dict  # {"conv2d_1/kernel": array}
    x: np.ndarray
    target: np.ndarray | None
    loss: str | None
    learning_rate: float

    @property
    def layers(self):
        """The layers' descriptions, in order."""
        return self.config["layers"]

    @property
    def nodes(self):
        """[(description of a layer, numbers of the values that it reads)], in order; the input is 0, then 1, 2, ..."""
        places = self.config.get("nodes") or [(place, [place]) for place in range(len(self.layers))]
        return [(self.layers[layer], read) for layer, read in places]

    @property
    def has_dropout(self):
        """Whether each training step gives another loss."""
        return any(layer["class"] == "Dropout" for layer in self.layers)

    def save(self, path):
        """Write everything to an .npz file."""
        plain = {name: getattr(self, name) for name in ("config", "shapes", "loss", "learning_rate")}
        target = {} if self.target is None else {"target": self.target}
        np.savez(path, plain=json.dumps(plain), x=self.x, **target, **self.weights)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote."""
        with np.load(path) as file:
            arrays = dict(file)
        plain = json.loads(str(arrays.pop("plain")))
        return cls(x=arrays.pop("x"), target=arrays.pop("target", None), weights=arrays, **plain)
