"""A model without its numbers, and its numbers: for JSON, for checkpoints, for copies and pickles."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from minitorch_cnn.datasets import preprocessing as preprocessings
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.errors import ArgumentError


class ModelState:
    """The part of a `Sequential` that describes it, and gives its state away and takes it back."""

    def config(self) -> dict:
        """The model without its weights, ready for JSON."""
        self._require_built()
        return {
            "input_shape": list(self.input_shape),
            "seed": self.seed,
            "dtype": self.dtype.name,
            "preprocessing": self.preprocessing.config() if self.preprocessing else None,
            "layers": [{"class": type(layer).__name__, **layer.config()} for layer in self.layers],
        }

    @classmethod
    def from_config(cls, config: dict, dtype: Any = None) -> Any:
        """The model that `config()` described, with fresh weights. Only the layers of `layers/` can be named."""
        stack = []
        for entry in config["layers"]:
            arguments = dict(entry)
            kind = arguments.pop("class", None)
            if kind not in layer_classes.__all__ or kind == "Layer":
                raise ArgumentError(f"model description: no layer is called {kind!r}")
            stack.append(getattr(layer_classes, kind)(**arguments))
        preprocessing = preprocessings.from_config(config.get("preprocessing"))
        return cls(stack, config["input_shape"], config["seed"], dtype or config["dtype"], preprocessing)

    def copy(self, dtype: Any = None) -> Any:
        """An independent model with the same layers, weights and dropout counts, in another dtype if one is given."""
        _ = self.layers[:1]  # a model that was used up says so
        twin = copy.deepcopy(self)
        if dtype is not None:
            twin.dtype = np.dtype(dtype)
            twin._lay_out()
        return twin

    def __getstate__(self) -> dict:
        """What a copy or a pickle holds: everything but the last pass and the vector, which is made anew from it."""
        return {key: value for key, value in self.__dict__.items() if key not in ("vector", "prediction")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state, prediction=None)
        if self.input_shape is not None and isinstance(self.layers, tuple):
            self._lay_out()

    def state(self) -> dict[tuple[str, str], Any]:
        """{(layer, name): array or number} of everything that training changes; the arrays are the model's own."""
        state: dict[tuple[str, str], Any] = {}
        for layer in self.layers:
            for name, array in layer.parameters.items():
                state[layer.name, name] = array
            if layer.random:
                state[layer.name, "draws"] = layer.draws
        return state

    def load_state(self, state: dict[tuple[str, str], Any]) -> None:
        """Copy the values of `state()` in; ArgumentError unless exactly this model's names are there."""
        names = self.state().keys()
        if names != state.keys():
            different = sorted("/".join(name) for name in names ^ state.keys())
            raise ArgumentError(f"model state: expected this model's names, got a difference in {', '.join(different)}")
        for (layer_name, name), value in state.items():
            layer = self.get_layer(layer_name)
            if name == "draws":
                layer.draws = int(value)
            else:
                layer.parameters[name] = value
