"""The description of a model, for JSON, and its state, for checkpoints, copies and pickles."""

from __future__ import annotations

import copy
from typing import Any

from minitorch_cnn.arguments import float_type
from minitorch_cnn.errors import ArgumentError


class ModelState:
    """The part of a `Model` that describes it and saves and restores its state."""

    def config(self: Any) -> dict:
        """The description of the model without its weights, ready for JSON (`description.py`)."""
        self._require_built()
        return {
            "input_shape": [list(each) if isinstance(each, tuple) else each for each in self.input_shape],
            "seed": self.seed,
            "dtype": self.dtype.name,
            "preprocessing": self.preprocessing.config() if self.preprocessing else None,
            "layers": [{"class": type(layer).__name__, **layer.config()} for layer in self.layers],
            **self.connections(),
        }

    def copy(self: Any, dtype: Any = None) -> Any:
        """An independent model with the same layers, weights and dropout counts, as `dtype` if it is given."""
        _ = self.layers[:1]  # raises the error of a model that was used up
        wanted = self.dtype if dtype is None else float_type(dtype)
        twin = copy.deepcopy(self)
        if dtype is not None:
            twin.dtype = wanted
            twin._lay_out()
        return twin

    def __getstate__(self) -> dict:
        """What a copy or a pickle holds: everything but the prediction and the vector, which is built again from it."""
        return {key: value for key, value in self.__dict__.items() if key not in ("vector", "prediction")}

    def __setstate__(self: Any, state: dict) -> None:
        self.__dict__.update(state, prediction=None)
        if self.input_shape is not None and isinstance(self.layers, tuple):
            self._lay_out()

    def state(self: Any) -> dict[tuple[str, str], Any]:
        """{(layer, name): array or number} of all that training changes; the arrays are the model's own."""
        state: dict[tuple[str, str], Any] = {}
        for layer in self.layers:
            for name, array in layer.parameters.items():
                state[layer.name, name] = array
            if layer.random:
                state[layer.name, "draws"] = layer.draws
        return state

    def load_state(self: Any, state: dict[tuple[str, str], Any]) -> None:
        """Copy the values of `state()` into the model; ArgumentError unless the names are exactly this model's."""
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
