"""Reads the network that a whole-model file describes, as data only: layers, settings, and what each layer reads.

Nothing here is ever executed or imported: class names stay texts, and `models/keras_layers.py` decides which of them
have a counterpart here. Keras has written the graph in three ways; each is read into the same `Call`s.

========  =====================================================================================================
Keras 1   `"inbound_nodes": [[["conv", 0, 0], ["pool", 0, 0]]]`: a list of calls, each a list of values
Keras 2   the same with keyword arguments, `["conv", 0, 0, {}]`
Keras 3   `[{"args": [[tensor, tensor]], "kwargs": {}}]`, where a tensor is a dict of class `__keras_tensor__` that
          holds `"keras_history": ["conv", 0, 0]`
========  =====================================================================================================

A value is named by its layer, the number of the call (a layer that is used twice has two) and the number of the output.
A `Sequential` has no graph: each layer reads the one before it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.container import opened
from minitorch_cnn.keras_h5.described import CHAIN_INPUT, Call, LayerDescription, Network, Reference
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.model_config import (
    DEEPEST_NESTING,
    MODEL_CLASSES,
    MOST_LAYERS,
    NotAConfig,
    parse_json,
)

MOST_CALLS = 50_000  # in one file
MOST_INPUTS = 10_000  # of one call
DEEPEST_ARGUMENTS = 8
OPERAND = "y"  # what tf.keras calls the second operand of an operation
HARMLESS_ARGUMENTS = ("approximate", "mask", "training")


def read_architecture(path: str | os.PathLike) -> Network:
    """The network that a whole-model file describes, `.keras` or `.h5` of any Keras; its weights are not read.

    Raises WeightsError if the file has no description, which is the case if only weights were saved, or if the
    description is damaged.
    """
    with opened(path) as container:
        text = container.description()
        if text is None:
            raise WeightsError(
                "it holds weights but no description of the network (model.save writes one, model.save_weights does"
                " not); build the network here and call load_weights"
            )
        version = container.keras_version or container.hdf5.root.text("keras_version") or ""
        return parse_architecture(text, int(version[0]) if version[:1].isdecimal() else 1)


def parse_architecture(text: str | bytes, keras: int | None = None) -> Network:
    """The network that a JSON text describes; raises WeightsError for anything else."""
    try:
        return replace(_network(parse_json(text), 0, _Allowance()), keras=keras)
    except _AnotherModel as error:
        raise WeightsError(f"it holds {error}") from None
    except NotAConfig as error:
        reason = f": {error}" if str(error) else ""
        raise WeightsError(f"its description of the network is damaged{reason}") from None


class _AnotherModel(NotAConfig):
    """The description is of a model that is written in Python, a subclass of Keras's Model."""


class _Allowance:
    """How many layers and calls may still come; raises NotAConfig when they are used up."""

    def __init__(self) -> None:
        self.left = {"layers": MOST_LAYERS, "calls": MOST_CALLS}

    def take(self, what: str, count: int) -> None:
        """Count `count` of them."""
        self.left[what] -= count
        if self.left[what] < 0:
            raise NotAConfig(f"it has too many {what}")


def _network(entry: Any, depth: int, allowance: _Allowance) -> Network:
    if depth > DEEPEST_NESTING:
        raise NotAConfig("models are nested too deeply")
    class_name = _text(entry, "class_name", "a model without a class")
    config = entry.get("config")
    if class_name not in MODEL_CLASSES:
        own = _own_text(entry, "registered_name") or class_name
        raise _AnotherModel(
            f"a model of the class {shown(own)}, which computes with Python code that no file holds; expected a"
            " Sequential or Functional model"
        )
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or not entries:
        raise NotAConfig("a model without layers")
    allowance.take("layers", len(entries))
    layers = tuple(_layer(each, depth, allowance) for each in entries)
    names: set[str] = set()
    for layer in layers:
        if layer.name in names:
            raise NotAConfig(f"two layers are called {shown(layer.name)}")
        names.add(layer.name)
    settings = config if isinstance(config, dict) else {}
    name = _own_text(settings, "name") or ""
    build_shape = settings.get("build_input_shape") or _build_shape(entry)
    if class_name == "Sequential":
        return _chain(name, layers, build_shape)
    inputs, outputs = (_references(settings.get(key), key) for key in ("input_layers", "output_layers"))
    return Network(class_name, name, layers, inputs, outputs, build_shape)


def _chain(name: str, layers: tuple[LayerDescription, ...], build_shape: Any) -> Network:
    """A Sequential, whose layers each read the one before; calls as in a graph are added to them."""
    linked, last = [], Reference(CHAIN_INPUT)
    for layer in layers:
        if layer.class_name == "InputLayer":
            build_shape = _input_shape(layer.settings) or build_shape
            continue
        linked.append(
            LayerDescription(
                layer.class_name, layer.name, layer.module, layer.registered, layer.settings, (Call((last,)),),
                layer.network, layer.build_shape,
            )
        )  # fmt: skip
        last = Reference(layer.name)
    if not linked:
        raise NotAConfig("a model without layers")
    build_shape = _input_shape(linked[0].settings) or build_shape
    return Network("Sequential", name, tuple(linked), (Reference(CHAIN_INPUT),), (last,), build_shape)


def _layer(entry: Any, depth: int, allowance: _Allowance) -> LayerDescription:
    class_name = _text(entry, "class_name", "a layer without a class")
    config = entry.get("config")
    settings = config if isinstance(config, dict) else {}
    name = _own_text(entry, "name") or _own_text(settings, "name")
    if not name:
        raise NotAConfig(f"a layer of class {shown(class_name)} without a name")
    network = _network(entry, depth + 1, allowance) if class_name in MODEL_CLASSES else None
    nodes = entry.get("inbound_nodes") or []
    if not isinstance(nodes, list):
        raise NotAConfig(f"{shown(name)}: inbound_nodes is not a list")
    allowance.take("calls", len(nodes))
    calls = tuple(_call(node, name) for node in nodes)
    module, registered = _own_text(entry, "module"), _own_text(entry, "registered_name")
    return LayerDescription(class_name, name, module, registered, settings, calls, network, _build_shape(entry))


def _call(node: Any, name: str) -> Call:
    """One call in any of the three ways of writing it."""
    inputs: list[Reference] = []
    arguments: list[str] = []
    numbers: list[tuple[int, float]] = []
    if isinstance(node, dict):  # Keras 3
        given, named = node.get("args"), node.get("kwargs")
        if not isinstance(given, list) or not isinstance(named, dict):
            raise NotAConfig(f"{shown(name)}: a call without arguments")
        for place, value in enumerate(given):
            if _is_number(value):
                numbers.append((place, value))
            elif not _collect(value, inputs, 0):
                arguments.append(f"argument {place + 1}")
        arguments += [key for key, value in named.items() if not _is_harmless(key, value)]
    elif isinstance(node, list):
        for value in [node] if _is_reference(node) else node:
            if not _is_reference(value):
                raise NotAConfig(f"{shown(name)}: expected the values that it reads")
            inputs.append(Reference(*value[:3]))
            named = dict(value[3]) if len(value) > 3 and isinstance(value[3], dict) else {}
            operand = named.pop(OPERAND, None)
            if _is_number(operand):
                numbers.append((1, operand))
            elif _is_reference(operand):
                inputs.append(Reference(*operand[:3]))
            elif operand is not None:
                arguments.append(OPERAND)
            arguments += [key for key, each in named.items() if not _is_harmless(key, each)]
    else:
        raise NotAConfig(f"{shown(name)}: expected the values that it reads")
    if len(inputs) > MOST_INPUTS:
        raise NotAConfig(f"{shown(name)}: it reads too many values")
    if len(numbers) > 1:
        raise NotAConfig(f"{shown(name)}: a call with {len(numbers)} numbers")
    place, number = numbers[0] if numbers else (1, None)
    return Call(tuple(inputs), tuple(dict.fromkeys(arguments)), number, place == 0)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_harmless(key: str, value: Any) -> bool:
    """Whether an argument leaves the prediction as it is: no mask, not the training mode, gelu without tanh."""
    return value is None or (key in HARMLESS_ARGUMENTS and value is False)


def _collect(value: Any, inputs: list[Reference], depth: int) -> bool:
    """Append the tensors in an argument, a tensor or lists of them; False if something else is in it."""
    if isinstance(value, list) and value and depth < DEEPEST_ARGUMENTS:
        return all([_collect(each, inputs, depth + 1) for each in value])
    if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
        return False
    config = value.get("config")
    history: Any = config.get("keras_history") if isinstance(config, dict) else None
    if not _is_reference(history):
        raise NotAConfig("a value without its history")
    inputs.append(Reference(*history[:3]))
    return True


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in value[1:3])
    )


def _references(value: Any, what: str) -> tuple[Reference, ...]:
    """The inputs or outputs of a model: one value, a list of them, or a dict of them (in its order)."""
    values = [*value.values()] if isinstance(value, dict) else value
    values = [values] if _is_reference(values) else values
    if not isinstance(values, list) or not values or not all(_is_reference(each) for each in values):
        raise NotAConfig(f"{what}: expected a list of values")
    return tuple(Reference(*each[:3]) for each in values)


def _input_shape(settings: dict[str, Any]) -> Any:
    return settings.get("batch_shape") or settings.get("batch_input_shape")


def _build_shape(entry: dict[str, Any]) -> Any:
    """The shape for which Keras built the layer or model, with its batch axis; None if the file does not say."""
    config = entry.get("build_config")
    return config.get("input_shape") if isinstance(config, dict) else None


def _text(entry: Any, key: str, otherwise: str) -> str:
    value = _own_text(entry, key)
    if value is None:
        raise NotAConfig(otherwise)
    return value


def _own_text(entry: Any, key: str) -> str | None:
    value: Any = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None
