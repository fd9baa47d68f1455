"""The description of the model in whole-model files, read as data only.

Keras turns this JSON text into live objects, so a layer of class Lambda, or of a class from any installed module, can
run code of the file's author. Here nothing is ever built from the description. Only five facts are read (each layer's
class, its name, whether it is channels-first, which weights it lacks, what is nested in it), and a text that is too
long, nested too deeply or not JSON is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_CONFIG = 4 * 2**20
DEEPEST_NESTING = 10
MOST_LAYERS = 10_000

MODEL_CLASSES = ("Sequential", "Functional", "Model")
SWITCHES = {"use_bias": "bias", "scale": "gamma", "center": "beta"}  # setting: the weight that is absent if it is False
CHANNELS_FIRST = ("channels_first", "th")


@dataclass(frozen=True)
class ConfigLayer:
    """A layer in the description.

    `layers` are the layers of a nested model, in order; `absent` are the weights that the layer was built without.
    """

    class_name: str
    name: str
    channels_first: bool | None
    absent: tuple[str, ...] = ()
    layers: tuple[ConfigLayer, ...] = ()


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

    def convolutions_channels_first(self) -> bool | None:
        """Whether the convolutions are channels-first; None if there are none or they disagree."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name.startswith("Conv"))

    def flatten_channels_first(self) -> bool | None:
        """Whether the Flatten layers are channels-first; None if they do not say, as before Keras 2.1.6."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name == "Flatten")


def parse_config(text: str | bytes) -> ModelConfig | None:
    """The description; None if the text is not a valid one."""
    try:
        layers = _layers(_parse(text), 0, [MOST_LAYERS])
    except _NotAConfig:
        return None
    return ModelConfig(layers) if layers else None


def parse_version(text: str | bytes) -> str | None:
    """The Keras version in an archive's `metadata.json`; None if there is none."""
    try:
        metadata = _parse(text)
    except _NotAConfig:
        return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


def _parse(text: str | bytes) -> object:
    """Parse JSON of limited size into plain lists, dicts, strings and numbers."""
    if len(text) > LONGEST_CONFIG:
        raise _NotAConfig
    try:
        return json.loads(text, parse_int=_small_number)
    except (ValueError, RecursionError):
        raise _NotAConfig from None


class _NotAConfig(Exception):
    """The text is not JSON, or it does not describe a model."""


def _layers(model: object, depth: int, allowance: list[int]) -> tuple[ConfigLayer, ...]:
    """The layers of one model, whose `config` is a list up to Keras 2.2.2 and later a dict with a list in it."""
    config = model.get("config") if isinstance(model, dict) else None
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or depth > DEEPEST_NESTING:
        raise _NotAConfig
    allowance[0] -= len(entries)
    if allowance[0] < 0:
        raise _NotAConfig
    return tuple(_layer(entry, depth, allowance) for entry in entries)


def _layer(entry: object, depth: int, allowance: list[int]) -> ConfigLayer:
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise _NotAConfig
    class_name, config = entry["class_name"], entry.get("config")
    nested = _layers(entry, depth + 1, allowance) if class_name in MODEL_CLASSES else ()
    settings = config if isinstance(config, dict) else {}
    name = settings.get("name", entry.get("name"))
    order = settings.get("data_format", settings.get("dim_ordering"))
    channels_first = order in CHANNELS_FIRST if isinstance(order, str) else None
    absent = tuple(weight for setting, weight in SWITCHES.items() if settings.get(setting) is False)
    return ConfigLayer(class_name, name if isinstance(name, str) else "", channels_first, absent, nested)


def _agreed(values: Iterable[bool | None]) -> bool | None:
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None


def _small_number(digits: str) -> int:
    """The integer, or 0 for an absurdly long one, because parsing a million digits would take minutes."""
    return int(digits) if len(digits) < 20 else 0
