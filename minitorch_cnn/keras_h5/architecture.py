"""Reads the network that a whole-model file describes, as data only: layers, settings, and what each layer reads.

Nothing here is ever executed or imported: class names stay texts, and `models/keras_layers.py` decides which of them
have a counterpart here. `calls.py` reads what each layer reads. A `Sequential` has no graph: each layer reads the one
before it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.call_numbers import numbered_from_zero
from minitorch_cnn.keras_h5.calls import is_of_keras_3, read_call, references
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
    inputs, outputs = (references(settings.get(key), key) for key in ("input_layers", "output_layers"))
    keras_3 = any(is_of_keras_3(each.get("inbound_nodes")) for each in entries)
    layers, outputs = numbered_from_zero(layers, outputs, keras_3)
    given = settings["input_layers"]
    keys = tuple(sorted(given)) if isinstance(given, dict) else tuple(each.layer for each in inputs)
    return Network(class_name, name, layers, inputs, outputs, build_shape, input_keys=keys)


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
    calls = tuple(_by_key(read_call(node, name), network, name) for node in nodes)
    module, registered = _own_text(entry, "module"), _own_text(entry, "registered_name")
    return LayerDescription(class_name, name, module, registered, settings, calls, network, _build_shape(entry))


def _by_key(call: Call, network: Network | None, name: str) -> Call:
    """The call of a layer; if it is a model that is called with a dict, with the values in the order of its inputs."""
    if not call.keys:
        return call
    if network is None or not network.input_keys:
        return replace(call, arguments=(*call.arguments, "a dict"))
    given = dict(zip(call.keys, call.inputs))
    missing = [key for key in network.input_keys if key not in given]
    if missing:
        raise NotAConfig(f"{shown(name)}: a call without its input {shown(missing[0])}")
    return replace(call, inputs=tuple(given[key] for key in network.input_keys))


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
