"""A chain of layers: the model that most networks are.

    x -> layer 0 -> layer 1 -> ... -> prediction          forward
    dx <- layer 0 <- layer 1 <- ... <- dL/dprediction     backward, by the chain rule (`engine/passes.py`)

The output of each layer is the input of the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minitorch_cnn.arguments import shown, sizes
from minitorch_cnn.datasets import preprocessing as preprocessings
from minitorch_cnn.engine import layers as layer_classes
from minitorch_cnn.engine.passes import chain
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.description import layers_of
from minitorch_cnn.network.layer_list import LayerList
from minitorch_cnn.network.model import Model
from minitorch_cnn.network.naming import name_layers


class Sequential(Model):
    """A stack of named layers.

    Arguments: `layers`; `input_shape` (H, W, C) or (D,) without the batch axis (left out: taken from the first input);
    the others as for `Model`. Raises ShapeError, naming the layer, if a layer does not accept the output of the one
    before it.
    """

    def __init__(
        self,
        layers: Iterable = (),
        input_shape: tuple | None = None,
        seed: int | None = None,
        dtype: Any = "float32",
        preprocessing: Any = None,
    ) -> None:
        if not isinstance(layers, Iterable):
            raise ArgumentError(f"Sequential: expected a list of layers, got {shown(layers)}")
        self._layers = LayerList(layers)
        for layer in self._layers:
            if not isinstance(layer, layer_classes.Layer):
                raise ArgumentError(f"Sequential: expected layers, got {type(layer).__name__}")
        self._nodes = None
        self._set_up(seed, dtype, preprocessing)
        name_layers(self._layers)
        if input_shape is not None:
            self.build(input_shape)

    def build(self, input_shape: tuple) -> None:
        """Compute all shapes from `input_shape` (without N) to the prediction, and prepare the initial weights."""
        if not self.layers:
            raise ArgumentError("Sequential: expected at least one layer, got none")
        for layer in self.layers:
            if layer.input_shape is not None:
                raise ArgumentError(f"{layer.name}: already belongs to a model; make a new layer for this one")
        shape = sizes(input_shape, "input_shape")
        for layer in self.layers:
            layer.build(shape)
            shape = layer.output_shape
        self._take_nodes(chain(self.layers), [len(self.layers)], [self.layers[0].input_shape])
        self._lay_out()

    @classmethod
    def from_config(cls, config: dict, dtype: Any = None) -> Sequential:
        """The model that `config()` described, as for `Model`; with an `input_shape` of None it is not built."""
        preprocessing = preprocessings.from_config(config.get("preprocessing"))
        return cls(layers_of(config), config["input_shape"], config["seed"], dtype or config["dtype"], preprocessing)

    def connections(self) -> dict:
        """Nothing: each layer reads what the one before it makes."""
        return {}


def model_of(config: dict, dtype: Any = None) -> Model:
    """The model that `config()` of a Model or a Sequential described."""
    return (Model if "nodes" in config else Sequential).from_config(config, dtype)
