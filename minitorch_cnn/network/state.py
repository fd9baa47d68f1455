"""What a model is without its numbers, and its numbers: for JSON, for checkpoints, for a copy."""

from minitorch_cnn.datasets import preprocessing as preprocessings
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.errors import ArgumentError


class ModelState:
    """The part of a `Sequential` that describes it, and gives its state away and takes it back."""

    def config(self):
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
    def from_config(cls, config, dtype=None):
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

    def copy(self, dtype=None):
        """A model of its own with the same layers, weights and dropout counts, in another dtype if one is named."""
        twin = type(self).from_config(self.config(), dtype).to(self.backend)
        twin.load_state(self.state())
        return twin

    def state(self):
        """{(layer, name): array or number} of everything that training changes; the arrays are the model's own."""
        state = {}
        for layer in self.layers:
            for name, array in layer.parameters.items():
                state[layer.name, name] = array
            if hasattr(layer, "draws"):
                state[layer.name, "draws"] = layer.draws
        return state

    def load_state(self, state):
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
