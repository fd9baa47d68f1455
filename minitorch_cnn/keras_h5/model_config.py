"""What the description of the model in a whole-model file says about its weights, read as data only.

Keras turns this JSON text into live objects, so a layer of class Lambda, or of a class from any installed module, can
run code of the file's author. Here nothing is ever built from the description. To load weights, only five facts are
read (each layer's class, its name, whether it is channels-first, which weights it lacks, what is nested in it), and a
text that is too long, nested too deeply or not JSON is ignored. `architecture.py` reads all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

LONGEST_CONFIG = 4 * 2**20
DEEPEST_NESTING = 10
MOST_LAYERS = 10_000

MODEL_CLASSES = ("Sequential", "Functional", "Model")
SWITCHES = {"use_bias": "bias", "scale": "gamma", "center": "beta"}  # setting: the weight that is absent if it is False
CHANNELS_FIRST = ("channels_first", "th")


@dataclass(frozen=True)
class ConfigLayer:
    """A layer in the description.

    `layers` are the layers of a nested model, in order; `absent` are the weights that the layer was built without;
    `settings` is everything that the description says about the layer.
    """

    class_name: str
    name: str
    channels_first: bool | None
    absent: tuple[str, ...] = ()
    layers: tuple[ConfigLayer, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class ModelConfig:
    """The layers of the described model, in order."""

    layers: tuple[ConfigLayer, ...]

    def flat(self) -> list[ConfigLayer]:
        """Every layer that is not itself a model, in order."""
        flat, pending = [], list(reversed(self.layers))
        while pending:
            layer = pending.pop()
            if layer.layers:
                pending.extend(reversed(layer.layers))
            else:
                flat.append(layer)
        return flat

    def paths(self) -> Iterator[tuple[str, ConfigLayer]]:
        """Yield (path, layer) of every layer that is not itself a model, after the names of the models around it."""
        pending = [(layer.name, layer) for layer in reversed(self.layers)]
        while pending:
            path, layer = pending.pop()
            if layer.layers:
                pending.extend((f"{path}/{inner.name}", inner) for inner in reversed(layer.layers))
            else:
                yield path, layer

    def convolutions_channels_first(self) -> bool | None:
        """Whether the convolutions are channels-first; None if there are none or they disagree."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name.startswith("Conv"))

    def flatten_channels_first(self) -> bool | None:
        """Whether the Flatten layers are channels-first; None if they do not say, as before Keras 2.1.6."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name == "Flatten")


def parse_config(text: str | bytes) -> ModelConfig | None:
    """The description; None if the text is not a valid one."""
    try:
        layers = _layers(parse_json(text), 0, [MOST_LAYERS])
    except NotAConfig:
        return None
    return ModelConfig(layers) if layers else None


def parse_version(text: str | bytes) -> str | None:
    """The Keras version in an archive's `metadata.json`; None if there is none."""
    try:
        metadata = parse_json(text)
    except NotAConfig:
        return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


def parse_json(text: str | bytes) -> Any:
    """Parse JSON of limited size into plain lists, dicts, strings and finite numbers; raises NotAConfig."""
    if len(text) > LONGEST_CONFIG:
        raise NotAConfig
    try:
        return json.loads(text, parse_int=_small_number, parse_float=_finite_number, parse_constant=_finite_number)
    except (ValueError, RecursionError):
        raise NotAConfig from None


class NotAConfig(Exception):
    """The text is not JSON, or it does not describe a model."""


def _layers(model: object, depth: int, allowance: list[int]) -> tuple[ConfigLayer, ...]:
    """The layers of one model, whose `config` is a list up to Keras 2.2.2 and later a dict with a list in it."""
    config = model.get("config") if isinstance(model, dict) else None
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or depth > DEEPEST_NESTING:
        raise NotAConfig
    allowance[0] -= len(entries)
    if allowance[0] < 0:
        raise NotAConfig
    return tuple(_layer(entry, depth, allowance) for entry in entries if not _is_operation(entry))


def _is_operation(entry: object) -> bool:
    """Whether this is an operation such as x + y, which Keras 3 lists like a layer but stores nothing for."""
    module = entry.get("module") if isinstance(entry, dict) else None
    return isinstance(module, str) and ".ops" in module


def _layer(entry: object, depth: int, allowance: list[int]) -> ConfigLayer:
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise NotAConfig
    class_name, config = entry["class_name"], entry.get("config")
    nested = _layers(entry, depth + 1, allowance) if class_name in MODEL_CLASSES else ()
    settings = config if isinstance(config, dict) else {}
    name = settings.get("name", entry.get("name"))
    order = settings.get("data_format", settings.get("dim_ordering"))
    channels_first = order in CHANNELS_FIRST if isinstance(order, str) else None
    absent = tuple(weight for setting, weight in SWITCHES.items() if settings.get(setting) is False)
    return ConfigLayer(class_name, name if isinstance(name, str) else "", channels_first, absent, nested, settings)


def _agreed(values: Iterable[bool | None]) -> bool | None:
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def _small_number(digits: str) -> int:
    """The integer, or 0 for an absurdly long one, because parsing a million digits would take minutes."""
    return int(digits) if len(digits) < 20 else 0


def _finite_number(digits: str) -> float:
    """The number; raises ValueError for NaN and infinities, which JSON does not have but Python's parser accepts."""
    number = float(digits)
    if not isfinite(number):
        raise ValueError(digits)
    return number
