"""The description of the model that whole-model files carry, read as data only.

Keras turns this JSON text into live objects, and a layer of class Lambda, or a class from any module that is
installed, then runs code of the file's author. Here nothing is ever built from it: five facts are taken (each layer's
class, its name, whether it is channels-first, which weights it lacks, what is nested in it), and a text that is too
long, too deep or no JSON is left aside.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LONGEST_CONFIG = 4 * 2**20
DEEPEST_NESTING = 10
MOST_LAYERS = 10_000

MODEL_CLASSES = ("Sequential", "Functional", "Model")
SWITCHES = {"use_bias": "bias", "scale": "gamma", "center": "beta"}  # setting: the weight that is absent without it
CHANNELS_FIRST = ("channels_first", "th")


@dataclass(frozen=True)
class ConfigLayer:
    """A layer as the description names it.

    `layers` is what a nested model holds, in order; `absent` are the weights that the layer was made without.
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
        """Every layer that is not itself a model."""
        flat, ahead = [], list(reversed(self.layers))
        while ahead:
            layer = ahead.pop()
            if layer.layers:
                ahead.extend(reversed(layer.layers))
            else:
                flat.append(layer)
        return flat

    def convolutions_channels_first(self) -> bool | None:
        """Whether the convolutions run channels-first; None if there are none or they disagree."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name.startswith("Conv"))

    def flatten_channels_first(self) -> bool | None:
        """What the Flatten layers say of themselves; None if they say nothing, as before Keras 2.1.6."""
        return _agreed(layer.channels_first for layer in self.flat() if layer.class_name == "Flatten")


def parse_config(text: str | bytes) -> ModelConfig | None:
    """The description, or None for a text that is not one."""
    try:
        layers = _layers(_parse(text), 0, [MOST_LAYERS])
    except _NotAConfig:
        return None
    return ModelConfig(layers) if layers else None


def parse_version(text: str | bytes) -> str | None:
    """The Keras version in an archive's `metadata.json`, or None."""
    try:
        metadata = _parse(text)
    except _NotAConfig:
        return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


def _parse(text: str | bytes) -> object:
    """JSON of a bounded size as plain lists, dicts, texts and numbers."""
    if len(text) > LONGEST_CONFIG:
        raise _NotAConfig
    try:
        return json.loads(text, parse_int=_small_number)
    except (ValueError, RecursionError):
        raise _NotAConfig from None


class _NotAConfig(Exception):
    """The JSON is valid, but it does not describe a model."""


def _layers(model: object, depth: int, allowance: list[int]) -> tuple[ConfigLayer, ...]:
    """The layers of one model: its `config` is a list up to Keras 2.2.2, later a dict with a list in it."""
    config = model.get("config") if isinstance(model, dict) else None
    entries = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(entries, list) or depth > DEEPEST_NESTING:
        raise _NotAConfig
    allowance[0] -= len(entries)
    if allowance[0] < 0:
        raise _NotAConfig
    return tuple(_layer(entry, depth, allowance) for entry in entries)


def _layer(entry: object, depth: int, allowance: list[int]) -> ConfigLayer:
    class_name = entry.get("class_name") if isinstance(entry, dict) else None
    config = entry.get("config") if isinstance(entry, dict) else None
    if not isinstance(class_name, str):
        raise _NotAConfig
    nested = _layers(entry, depth + 1, allowance) if class_name in MODEL_CLASSES else ()
    settings = config if isinstance(config, dict) else {}
    name = settings.get("name", entry.get("name"))
    order = settings.get("data_format", settings.get("dim_ordering"))
    channels_first = order in CHANNELS_FIRST if isinstance(order, str) else None
    absent = tuple(weight for setting, weight in SWITCHES.items() if settings.get(setting) is False)
    return ConfigLayer(class_name, name if isinstance(name, str) else "", channels_first, absent, nested)


def _agreed(values) -> bool | None:
    said = {value for value in values if value is not None}
    return said.pop() if len(said) == 1 else None


def _small_number(digits: str) -> int:
    """A whole number, or 0 for one that is absurdly long: turning a million digits into a number takes minutes."""
    return int(digits) if len(digits) < 20 else 0
