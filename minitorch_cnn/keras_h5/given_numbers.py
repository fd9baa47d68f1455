"""Weights that a file has among a layer's settings: the mean and variance that a Normalization was given.

Keras stores what a Normalization has measured as weights, but `Normalization(mean=..., variance=...)` as settings of
the description. Here they become weights of the stored layer like any other.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from minitorch_cnn.keras_h5.hdf5.datatypes import Datatype
from minitorch_cnn.keras_h5.model_config import ConfigLayer
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight
from minitorch_cnn.keras_h5.target import snake_case

GIVEN = {"Normalization": ("mean", "variance")}


class GivenNumbers:
    """Numbers of a description, read as the arrays of a file are; a single one stands for all channels."""

    datatype = Datatype("float64", 8, np.dtype("float64"), is_float=True)

    def __init__(self, numbers: list[float]) -> None:
        self.numbers = np.array(numbers, np.float64)
        self.shape: tuple[int, ...] | None = self.numbers.shape

    def read(self) -> np.ndarray:
        """The numbers."""
        return self.numbers

    def declared_bytes(self) -> int:
        """Their size in memory."""
        return self.numbers.nbytes


def numbers_of(value: Any) -> list[float] | None:
    """A number or a list of numbers, in lists of one at most, as a list; None for anything else.

    An array that Keras wrote is a dict with its numbers as `value`.
    """
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        value = value["config"].get("value")
    while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    numbers = value if isinstance(value, list) else [value]
    plain = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in numbers)
    return numbers if numbers and plain else None


def add_given_numbers(stored: StoredFile) -> None:
    """Add the weights that stand in the file's description to its layers, at their place in the model's order."""
    if stored.config is None:
        return
    described = list(stored.config.paths())
    place = {path: number for number, (path, _) in enumerate(described)}
    by_path = {layer.path: layer for layer in stored.layers if layer.path is not None}
    kinds = any(layer.kind for layer in stored.layers)
    new: deque[tuple[int, StoredLayer]] = deque()
    for path, layer in described:
        weights = _given(path, layer)
        if weights and path in by_path:
            by_path[path].weights = by_path[path].weights or weights
        elif weights:
            around, _, name = path.rpartition("/")
            kind = snake_case(layer.class_name) if kinds else None
            new.append((place[path], StoredLayer(name, path, kind, weights, around, name, path)))
    layers = []
    for each in stored.layers:
        while new and new[0][0] < place.get(each.path or "", -1):
            layers.append(new.popleft()[1])
        layers.append(each)
    stored.layers = layers + [layer for _, layer in new]


def _given(path: str, layer: ConfigLayer) -> list[StoredWeight]:
    """The weights among a layer's settings; none unless all of them are there."""
    names = GIVEN.get(layer.class_name, ())
    found = {name: numbers_of(layer.settings.get(name)) for name in names}
    return [
        StoredWeight(f"{path}/{name}", name, GivenNumbers(numbers))
        for name, numbers in found.items()
        if numbers is not None and None not in found.values()
    ]
