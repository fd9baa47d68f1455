"""Keras 1, Keras 2, tf.keras, and the whole-model `.h5` files of all versions: lists of names in attributes.

The attribute `layer_names` lists all layers in the model's order. Each has a group with an attribute `weight_names`,
whose entries are paths below that group: `conv2d/kernel:0` of layer `conv2d` is stored at `conv2d/conv2d/kernel:0`. The
published VGG16 files have this form. A whole-model file has the same structure inside its group `model_weights`.

Pitfalls:

* The lists are stored as fixed-length or variable-length strings, and an empty list as numbers (see `hdf5.attributes`).
  A list of more than 64,512 bytes is split into `layer_names0`, `layer_names1`, ...
* A model used as a layer is *one* entry, with all its weights in one list: first the trainable ones, then the frozen
  ones. So if other layers were frozen when the file was saved, loading by position swaps weights, without an error
  where the shapes agree. This module therefore separates the weights by the layer name within each weight's name.

Source: keras 1.2.2 `engine/topology.py`, keras 2.2.4 `engine/saving.py`, tf.keras 2.15 `legacy/hdf5_format.py`,
keras 3 `legacy_h5_format.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.hdf5.attributes import MOST_TEXTS
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.model_config import ConfigLayer, ModelConfig, parse_config
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight, stored_weight
from minitorch_cnn.keras_h5.weight_names import is_keras_2, owner_path


def read(root: Group) -> StoredFile:
    """Describe a weights-only file or a whole-model file, whichever the root belongs to."""
    if has_list(root, "layer_names"):
        return _read_lists(root, root, "weights by layer name (`layer_names`)", None)
    config = None
    notes = []
    if root.has_attribute("model_config"):
        config = _config(root)
        if config is None:
            notes.append("the model's description in the file is not valid; it was ignored")
    stored = _read_lists(root.group("model_weights"), root, "whole model (`model_weights`)", config)
    stored.notes.extend(notes)
    return stored


def has_list(group: Group, name: str) -> bool:
    """Whether there is a list of this name, in one attribute or split into several."""
    return group.has_attribute(name) or group.has_attribute(f"{name}0")


def read_list(group: Group, name: str) -> list[str]:
    """A list of names, stored in one attribute or split into numbered ones; raises WeightsError for repeats."""
    if group.has_attribute(name):
        names = group.texts(name)
    else:
        parts = (re.fullmatch(rf"{name}(\d{{1,9}})", attribute) for attribute in group.attribute_names())
        numbers = sorted(int(part[1]) for part in parts if part)
        if not numbers:
            raise WeightsError(f"attribute {name} is missing")
        if numbers != list(range(len(numbers))):
            raise WeightsError(f"the part {name}{_first_gap(numbers)} of the list {name} is missing")
        names = [text for number in numbers for text in group.texts(f"{name}{number}")]
    if len(names) > MOST_TEXTS:
        raise WeightsError(f"the list {name}: expected at most {MOST_TEXTS:,} entries, got {len(names):,}")
    for text in names:
        if {"", ".", ".."} & set(text.split("/")):
            raise WeightsError(f"the list {name} contains {shown(text)!r}, which is not a path below its group")
    if len(set(names)) != len(names):
        (twice, _), *_ = Counter(names).most_common(1)
        raise WeightsError(f"the list {name} contains {shown(twice)} twice")
    return names


def _read_lists(group: Group, root: Group, dialect: str, config: ModelConfig | None) -> StoredFile:
    version = group.text("keras_version") or root.text("keras_version")
    backend = group.text("backend") or root.text("backend")
    keras = _major_version(version)
    layers: list[StoredLayer] = []
    described = {layer.name: layer for layer in config.layers} if config else {}
    for name in read_list(group, "layer_names"):
        found = _layers_of(group.group(name), name, keras)
        if name in described:
            _set_paths(found, described[name])
        layers += found
    era = f"Keras {keras}"
    if version is None and any(is_keras_2(weight.name) for layer in layers for weight in layer.weights):
        keras, era = 2, "Keras 2 or later, judging by the names of its weights"
    return StoredFile(dialect, era, layers, True, keras, version, backend, config)


def _layers_of(group: Group, name: str, keras: int) -> list[StoredLayer]:
    """One layer, or the layers of a nested model in the order in which their first weights are listed."""
    try:
        weights = [stored_weight(group, path, path, keras) for path in read_list(group, "weight_names")]
    except WeightsError as error:
        raise WeightsError(f"layer {shown(name)}: {error}") from None
    owners: dict[str | None, list[StoredWeight]] = {}
    for weight in weights:
        owners.setdefault(owner_path(weight.name), []).append(weight)
    if len(owners) <= 1 or None in owners:
        inner = next(iter(owners), None) or name  # a nested model of one layer looks like a renamed layer
        return [StoredLayer(name, name, None, weights, inner_name=inner.rsplit("/", 1)[-1])]
    return [
        StoredLayer(path.rsplit("/", 1)[-1], path, None, owned, nested_in=name)
        for path, owned in owners.items()
        if path is not None
    ]


def _set_paths(stored: list[StoredLayer], described: ConfigLayer) -> None:
    """Find each stored layer in the description of its entry, and note the names of the models around it there.

    In a nested model the weights are named by their layer, with or without the models around it; of several layers of
    that name it is the one whose path has most in common with the weights' names, counted from the end.
    """
    if not described.layers:
        for layer in stored:
            layer.path = described.name
        return
    inside: dict[str, list[list[str]]] = {}
    for path in _paths(described, []):
        inside.setdefault(path[-1], []).append(path)
    for layer in stored:
        owner = owner_path(layer.weights[0].name) if layer.weights else None
        if owner:
            names = owner.split("/")
            found = [(_common_end(path, names), path) for path in _named_like(inside, names)]
            best = max((common for common, _ in found), default=0)
            paths = [path for common, path in found if common == best]
            layer.path = "/".join(paths[0]) if len(paths) == 1 else None


def _named_like(inside: dict[str, list[list[str]]], names: list[str]) -> list[list[str]]:
    """The described layers called like the end of `names`; a layer's own name may contain `/`."""
    ends = ("/".join(names[start:]) for start in range(len(names)))
    return next((inside[end] for end in ends if end in inside), [])


def _common_end(path: list[str], names: list[str]) -> int:
    """How many names at the end are the same."""
    path, count = [part for name in path for part in name.split("/")], 0
    for ours, theirs in zip(reversed(path), reversed(names)):
        if ours != theirs:
            break
        count += 1
    return count


def _paths(layer: ConfigLayer, around: list[str]) -> Iterator[list[str]]:
    """Yield the names from the outermost model to each layer that is not itself a model."""
    names = [*around, layer.name]
    if not layer.layers:
        yield names
    for inner in layer.layers:
        yield from _paths(inner, names)


def _major_version(version: str | None) -> int:
    """The major version of a text such as "2.2.4-tf"; as in Keras, a file without a version is of Keras 1."""
    if version is None:
        return 1
    found = re.match(r"\d{1,3}", version)
    if not found:
        raise WeightsError(f"attribute keras_version: expected a version, got {shown(version)!r}")
    return int(found[0])


def _config(root: Group) -> ModelConfig | None:
    try:
        return parse_config(root.text("model_config") or "")
    except WeightsError:
        return None


def _first_gap(numbers: list[int]) -> int:
    return next(k for k in range(len(numbers) + 1) if k not in numbers)
