"""A network: layers with branches, run forward to predict and backward to learn.

    x --> conv2d_1 --+--> conv2d_2 --+--> add_1 --> ... --> prediction       forward
                     +---------------+
    dx <-- ...    the gradients of both branches add up    <-- dprediction   backward (`engine/passes.py`)

    x = Input((32, 32, 3))
    y = Conv2D(16, 3, padding="same", activation="relu")(x)
    model = Model(x, Add()([y, Conv2D(16, 3, padding="same")(y)]))

A chain of layers is easier to write as a `Sequential` (`sequential.py`), which is such a model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_cnn.arguments import float_type, whole
from minitorch_cnn.datasets import preprocessing as preprocessings
from minitorch_cnn.engine.passes import Node, graph
from minitorch_cnn.engine.values import Value
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.description import values_of
from minitorch_cnn.network.keras_weights import KerasWeights
from minitorch_cnn.network.layer_list import LayerList
from minitorch_cnn.network.learning import Learning
from minitorch_cnn.network.naming import name_layers
from minitorch_cnn.network.onnx_export import OnnxExport
from minitorch_cnn.network.parameters import ParameterVector
from minitorch_cnn.network.passing import LastPass, Passing
from minitorch_cnn.network.receiving import Receiving
from minitorch_cnn.network.state import ModelState
from minitorch_cnn.network.summary import summary
from minitorch_cnn.network.surgery import Surgery, UsedUp


class Model(Passing, Learning, Receiving, Surgery, KerasWeights, OnnxExport, ModelState):
    """The network that makes `outputs` of `inputs`: Values, one or a list of them (`engine/values.py`).

    A network with one input takes x (N, ...), with several a list of such arrays; the same holds for predictions. The
    passes are in `passing.py`, training and predicting in `learning.py`, inputs and devices in `receiving.py`; cutting,
    extending and freezing in `surgery.py`, files in `keras_weights.py` and `onnx_export.py`, state in `state.py`.

    `seed` decides initial weights, shuffling, augmentation and dropout (left out: drawn at random and stored in
    `model.seed`); `dtype` "float32" or "float64"; `preprocessing` is applied to images of integers. Raises
    ArgumentError where the outputs do not depend on the inputs, and ShapeError, naming the layer, where a shape does
    not fit.
    """

    epochs_trained = 0  # by all trainings together

    def __init__(
        self, inputs: Any, outputs: Any, seed: int | None = None, dtype: Any = "float32",
        preprocessing: Any = None,
    ) -> None:  # fmt: skip
        given, made = ([*values] if isinstance(values, (list, tuple)) else [values] for values in (inputs, outputs))
        for value in (*given, *made):
            if not isinstance(value, Value):
                raise ArgumentError(f"Model: expected results of Input or of layers, got {type(value).__name__}")
        if any(value in given for value in made):
            raise ArgumentError("Model: expected outputs that layers make, got one of the inputs")
        nodes, ends = graph(given, made)
        self._set_up(seed, dtype, preprocessing)
        self._take_nodes(nodes, ends, [value.shape for value in given])
        self._lay_out()

    def build(self, input_shape: tuple) -> None:
        """Fix the shapes: only a `Sequential` without an `input_shape` has none."""
        raise ArgumentError("the model has its shapes already, from its inputs")

    def _set_up(self, seed: int | None, dtype: Any, preprocessing: Any) -> None:
        """Everything but the network itself."""
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else whole(seed, "seed", 0)
        self.dtype = float_type("float32" if dtype is None else dtype)
        self.preprocessing: Any = preprocessings.checked(preprocessing)
        self.prediction: Any = None  # for the last batch that `loss_and_gradients` computed
        self.backend = "numpy"
        self.input_shape: Any = None
        self.ends: list[int] = [0]  # the numbers of the outputs among the values of the nodes
        self._last = LastPass()

    def _take_nodes(self, nodes: list[Node], ends: list[int], input_shapes: list[tuple]) -> None:
        """Make the built layers of `nodes` the model's own; `ends` are the numbers of the outputs."""
        self._layers: Any = LayerList(dict.fromkeys(node.layer for node in nodes))
        for layer in self._layers:
            if layer.in_model:
                raise ArgumentError(f"{layer.name}: already belongs to a model; make a new layer for this one")
        name_layers(self._layers)
        self._nodes: Any = nodes
        self.ends = ends
        for index, layer in enumerate(self._layers):
            layer.key = (self.seed & 0xFFFFFFFF, index)
        self.input_shape = input_shapes[0] if len(input_shapes) == 1 else tuple(input_shapes)
        for shape in input_shapes:
            if hasattr(self.preprocessing, "check_input"):
                self.preprocessing.check_input(shape)

    def _lay_out(self) -> None:
        """Put the layers' parameters into one vector, on the device where the model computes."""
        self.vector = ParameterVector(self.layers, self.dtype, self.seed)
        for layer in self.layers:
            layer.in_model = True
        if self.backend != "numpy":
            self.to(self.backend)

    @property
    def layers(self) -> Any:
        """The layers, each after those whose outputs it reads; `extend` and `cut` make a model with other layers."""
        return self._layers

    def nodes(self) -> list[Node]:
        """The layers at their places in the network, for the passes in `engine/passes.py`."""
        self._require_built()
        return list(self._nodes)

    @property
    def inputs(self) -> int:
        """How many inputs the network has; they are the values 0, 1, ... of its nodes."""
        return 1 if not self.input_shape or not isinstance(self.input_shape[0], tuple) else len(self.input_shape)

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return len(self.ends)

    def last_layers(self) -> list:
        """The layer that makes each output."""
        made = {node.output: node.layer for node in self._nodes or ()}
        return [made[number] for number in self.ends] if made else list(self.layers[-1:])

    @property
    def output_shape(self) -> Any:
        """The prediction's shape without N; a list of shapes if there are several outputs."""
        shapes = [layer.output_shape for layer in self.last_layers()]
        return shapes[0] if len(shapes) == 1 else shapes or None

    @classmethod
    def from_config(cls, config: dict, dtype: Any = None) -> Any:
        """The model that `config()` described, with initial weights; it may name only layers of `layers/`.

        Raises ArgumentError for any other layer.
        """
        inputs, outputs = values_of(config)
        preprocessing = preprocessings.from_config(config.get("preprocessing"))
        return cls(inputs, outputs, config["seed"], dtype or config["dtype"], preprocessing)

    def connections(self) -> dict:
        """Which layer reads what: the part of the model's description that a chain does not need."""
        number = {layer: index for index, layer in enumerate(self.layers)}
        return {"nodes": [[number[node.layer], list(node.inputs)] for node in self._nodes], "outputs": list(self.ends)}

    def above(self, depth: int) -> Any:
        """A model of the nodes from index `depth` on, which read only the last value before them.

        The layers and their weights are shared with this model.
        """
        before, upper = self._nodes[depth - 1].output, object.__new__(type(self))
        nodes = [
            Node(node.layer, tuple(number - before for number in node.inputs), node.output - before)
            for node in self._nodes[depth:]
        ]
        upper.__dict__.update(
            self.__dict__, _nodes=nodes, ends=[number - before for number in self.ends], _last=LastPass(),
            _layers=LayerList(dict.fromkeys(node.layer for node in nodes)), preprocessing=None,
            input_shape=self._nodes[depth - 1].layer.output_shape,
        )  # fmt: skip
        return upper

    def get_layer(self, name: str) -> Any:
        """The layer called `name`; ArgumentError, which lists the names, if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ArgumentError(f"no layer is called {name!r}; there are {', '.join(layer.name for layer in self.layers)}")

    def summary(self, batch_size: int = 32, file: Any = None) -> None:
        """Print the table of layers: shapes, parameters, trainable or frozen, and the memory for a batch."""
        self._require_built()
        print(summary(self, whole(batch_size, "summary: batch_size")), file=file)

    def _require_built(self) -> None:
        if self.input_shape is None:
            raise ArgumentError("the model has no shapes yet: give Sequential an input_shape, or call build")

    def __repr__(self) -> str:
        if isinstance(self._layers, UsedUp):
            return f"{type(self).__name__}(used up by {self._layers.act})"
        return f"{type(self).__name__}({len(self.layers)} layers, {self.input_shape} -> {self.output_shape})"
