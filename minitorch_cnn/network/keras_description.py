"""A model as Keras describes it, for the files that `Model.save` writes.

Each of our layers is written as the Keras layer that computes the same (`keras_kinds.py`). Where Keras has no such
setting, a layer of its own does the work (`keras_steps.py`): a convolution with padding in pixels is a ZeroPadding2D
and a convolution. Keras pairs a file's weights with its layers in its own order (`keras_order.py`), so the layers are
listed in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minitorch_cnn.arguments import check_name
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.network.keras_kinds import KINDS, Kind, described_initializer
from minitorch_cnn.network.keras_order import in_keras_order
from minitorch_cnn.network.keras_steps import (
    LAYERS,
    Described,
    added_without_padding,
    ends_in_gelu_tanh,
    free_name,
    gelu_tanh,
    is_transposed,
    pixel_padding,
    with_steps_around,
)

OURS = {kind.ours: (class_name, kind) for class_name, kind in KINDS.items() if class_name != "LayerScale"}
ACTIVATIONS = ("Sigmoid", "Tanh")  # our layers that are an Activation in Keras
KERAS_2_ACTIVATIONS = (  # its hard_sigmoid is another function
    "elu", "exponential", "gelu", "linear", "relu", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign",
    "swish", "tanh",
)  # fmt: skip
NOT_BOTH: dict[int, tuple[str, ...]] = {  # what a version of Keras refuses with strides as well as dilation
    2: ("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"),
    3: ("Conv2D", "Conv2DTranspose"),
}
LEFT_OUT = ("name", "trainable", "algorithm")  # arguments of ours that say nothing about the result


@dataclass
class Description:
    """All layers in Keras's order; `made` says which layer and call makes a value, `shapes` its shape without N."""

    layers: list[Described]
    inputs: list[int]
    outputs: list[int]
    made: dict[int, tuple[Described, int]]
    shapes: dict[int, tuple]
    chain: bool


def describe(model: Any, keras: int) -> Description:
    """The built model in the words of Keras version 2 or 3; ArgumentError names a layer that Keras does not have."""
    shapes = dict(enumerate([model.input_shape] if model.inputs == 1 else model.input_shape))
    names = keras_names(model)
    made: dict[int, tuple[Described, int]] = {}
    for number, shape in shapes.items():
        name = "input" if model.inputs == 1 else f"input_{number + 1}"
        key = "batch_shape" if keras == 3 else "batch_input_shape"
        settings = {"name": free_name(name, names), "dtype": "float32", key: _batch(shape)}
        made[number] = Described("InputLayer", settings), 0
    extra = max((node.output for node in model.nodes()), default=0)
    steps: dict[Any, list[tuple[Described, tuple]]] = {}
    for node in model.nodes():
        if node.layer not in steps:
            own = _layer(node.layer, names[node.layer.name], keras)
            steps[node.layer] = with_steps_around(node.layer, own, names)
        inputs = node.inputs
        for described, shape in steps[node.layer]:
            extra += 1
            last = described is steps[node.layer][-1][0]
            value = node.output if last else extra
            made[value], shapes[value] = (described, len(described.calls)), shape
            described.calls.append(inputs)
            inputs = (value,)
    chain = all(node.inputs == (place,) for place, node in enumerate(model.nodes())) and len(model.ends) == 1
    layers = [described for each in steps.values() for described, _ in each]
    chain = chain and all(len(layer.calls) == 1 for layer in layers) and model.inputs == 1
    chain = chain and all(layer.module == LAYERS for layer in layers)  # a Sequential holds layers alone
    for layer in (layer for layer, _ in made.values()):
        check_name(layer.name, "a layer of the file")
    reads = {value: (layer, layer.calls[call] if layer.calls else ()) for value, (layer, call) in made.items()}
    return Description(in_keras_order(reads, model.ends), list(range(model.inputs)), model.ends, made, shapes, chain)


def settings_of(layer: Any) -> dict[str, Any]:
    """What a layer computes, in the words of Keras 3; nothing for a layer that Keras does not have."""
    _, kind = OURS.get(type(layer).__name__, ("", None))
    if kind is None:
        return {}
    taken = (*kind.takes, *kind.renamed.values())
    return {key: value for key, value in layer.config().items() if key in taken}


def _layer(layer: Any, name: str, keras: int) -> Described:
    own = type(layer).__name__
    config = {key: value for key, value in layer.config().items() if key not in LEFT_OUT}
    settings: dict[str, Any] = {"name": name, "trainable": layer.trainable, "dtype": "float32"}
    if own in ACTIVATIONS:
        return Described("Activation", {**settings, "activation": layer.activation.name})
    if own not in OURS:
        raise ArgumentError(f"{layer.name}: Keras has no layer {own}")
    class_name, kind = OURS[own]
    if keras == 2 and config.get("activation", "linear") not in KERAS_2_ACTIVATIONS:
        raise ArgumentError(f"{layer.name}: Keras 2 has no such {config['activation']}; save as .keras, for Keras 3")
    if ends_in_gelu_tanh(layer):
        if own == "Activation":
            return gelu_tanh(name)
        config["activation"] = "linear"
    if own in NOT_BOTH[keras] and max(layer.strides) > 1 and max(layer.dilation_rate) > 1:
        both = f"both strides {layer.strides} and dilation_rate {layer.dilation_rate}"
        raise ArgumentError(f"{layer.name}: Keras {keras} has no {class_name} with {both}")
    if is_transposed(layer) and pixel_padding(layer):
        config["output_padding"] = added_without_padding(layer)
    for key, value in config.items():
        if key == "padding" and own != "ZeroPad2D" and not isinstance(value, str):
            if pixel_padding(layer) is None:
                raise ArgumentError(f"{layer.name}: padding: Keras pools only with 'valid' or 'same', got {value}")
            value = "valid"
        if key.endswith("_initializer"):
            value = described_initializer(value, keras, own == "Dense")
        settings[_keras_name(key, kind, keras)] = value
    return Described(class_name, settings)


def _keras_name(key: str, kind: Kind, keras: int) -> str:
    """Keras's name of a setting: that of Keras 3, or the older one if Keras 2 had another."""
    older = {ours: theirs for theirs, ours in kind.renamed.items()}
    return older.get(key, key) if keras == 2 else key


def keras_names(model: Any) -> dict[str, str]:
    """{our name: the name in the file}: Keras takes no `/`, which stands in the names of layers of nested models."""
    names = {layer.name: layer.name for layer in model.layers if "/" not in layer.name}
    for layer in model.layers:
        if "/" in layer.name:
            names[layer.name] = free_name(layer.name.replace("/", "_"), names)
    return names


def _batch(shape: tuple) -> list:
    return [None, *shape]


def keras_3(description: Description, name: str) -> dict[str, Any]:
    """The `config.json` of a `.keras` file."""

    def tensor(value: int) -> dict[str, Any]:
        layer, call = description.made[value]
        config = {"shape": _batch(description.shapes[value]), "dtype": "float32"}
        return {"class_name": "__keras_tensor__", "config": {**config, "keras_history": [layer.name, call, 0]}}

    def call(inputs: tuple[int, ...]) -> dict[str, Any]:
        tensors = [tensor(value) for value in inputs]
        return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}

    def entry(layer: Described) -> dict[str, Any]:
        own = {"module": layer.module, "class_name": layer.class_name, "config": layer.settings}
        return {**own, "registered_name": None if layer.module == LAYERS else layer.class_name, "name": layer.name}

    model = _model(description, name, entry, call)
    if description.chain:
        return {"module": "keras", **model, "registered_name": None}
    for key in ("input_layers", "output_layers"):  # one value without a list: a tensor, not a list of one
        values = model["config"][key]
        model["config"][key] = values[0] if len(values) == 1 else values
    return {"module": "keras.src.models.functional", **model, "registered_name": "Functional"}


def keras_2(description: Description, name: str) -> dict[str, Any]:
    """The `model_config` of a whole-model `.h5` file."""

    def call(inputs: tuple[int, ...]) -> list:
        return [[description.made[value][0].name, description.made[value][1], 0, {}] for value in inputs]

    def entry(layer: Described) -> dict[str, Any]:
        return {"class_name": layer.class_name, "config": layer.settings, "name": layer.name}

    return _model(description, name, entry, call)


def _model(
    description: Description, name: str, entry: Callable[[Described], dict], call: Callable[[tuple[int, ...]], Any]
) -> dict[str, Any]:
    if description.chain:
        layers = [entry(layer) for layer in description.layers]
        return {"class_name": "Sequential", "config": {"name": name, "layers": layers}}
    layers = [{**entry(layer), "inbound_nodes": [call(each) for each in layer.calls]} for layer in description.layers]
    inputs, outputs = (
        [[description.made[value][0].name, description.made[value][1], 0] for value in values]
        for values in (description.inputs, description.outputs)
    )
    config = {"name": name, "trainable": True, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config}
