"""`.weights.h5`, which is also the content of `.keras`: groups by class and number, and no list of layers.

`layers/conv2d_1/vars/0` is the kernel of the second Conv2D, `vars/1` its bias. The group's name is the class name in
snake case with a counter, *not* the layer's name; a nested model is a group `functional` with its own `layers`.

==================================  ===============================  ===================  ======================
written by                          container                        counting             layer's own name
==================================  ===============================  ===================  ======================
TensorFlow 2.12, 2.13               `_layer_checkpoint_dependencies`  0, 2, 4 (with gaps)  not stored
TensorFlow 2.14                     `_layer_checkpoint_dependencies`  0, 1, 2              not stored
TensorFlow 2.15, Keras 3.0 to 3.5   `layers`                         0, 1, 2              not stored
Keras 3.6 and later                 `layers`                         0, 1, 2              attribute `name`
==================================  ===============================  ===================  ======================

Pitfalls: numbers must be sorted as numbers (the file lists `vars/10` before `vars/2`), only their order matters, and
how layers of different classes interleave is not recorded, except in the `config.json` of a `.keras` archive.

Source: keras `saving_lib.py`, TensorFlow 2.12 to Keras 3.15.
"""

from __future__ import annotations

import re
from contextlib import suppress

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import Group
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.model_config import ConfigLayer, ModelConfig
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight, name_by_shape, stored_weight
from minitorch_cnn.keras_h5.target import snake_case

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
DEEPEST_NESTING = 16
INSIDE_A_LAYER = "it belongs to a layer inside another layer, such as a wrapper or a block, which is not supported"


def read(root: Group, config: ModelConfig | None, version: str | None, zipped: bool) -> StoredFile:
    """Describe a file: its layers class by class, or in the model's order and with names if `config` describes it."""
    container = next(name for name in CONTAINERS if name in root)
    notes: list[str] = []
    found = _walk(root.group(container), ("", ""), config.layers if config else None, {root.address}, 0, notes)
    dialect = f"{'.keras archive' if zipped else '.weights.h5'} (`{container}`)"
    if container != CONTAINERS[0]:
        era = "TensorFlow 2.12 to 2.14"
    else:
        named = "vars" in root and root.group("vars").has_attribute("name")
        era = "Keras 3.6 or later" if named else "TensorFlow 2.15 or Keras 3.0 to 3.5"
    described = config is not None and not notes
    return StoredFile(dialect, era, found, described, None, version, config=config, notes=notes)


def _walk(
    group: Group, places: tuple[str, str], described: tuple[ConfigLayer, ...] | None, seen: set[int], depth: int,
    notes: list[str],
) -> list[StoredLayer]:  # fmt: skip
    """The layers below one container, those of nested models included.

    `places` are the names of the groups around it, "functional/", and of the models that these are, "base/".
    """
    place, path = places
    if depth > DEEPEST_NESTING or group.address in seen:
        raise WeightsError("models are nested in a circle or too deeply")
    seen.add(group.address)
    by_class: dict[str, list[tuple[int, str]]] = {}
    for name in group.names():
        kind, number = _class_and_number(name)
        by_class.setdefault(kind, []).append((number, name))
    order = [(kind, name) for kind in sorted(by_class) for _, name in sorted(by_class[kind])]
    matched = _match_description(order, described, place, notes)
    if matched:
        order = sorted(order, key=lambda entry: matched[entry[1]][0])

    layers = []
    for kind, name in order:
        child = group.group(name)
        description = matched[name][1] if matched else None
        inner = next((container for container in CONTAINERS if container in child), None)
        if inner is not None:
            inside = description.layers if description else None
            model = description.name if description else name
            layers += _walk(child.group(inner), (f"{place}{name}/", f"{path}{model}/"), inside, seen, depth + 1, notes)
        else:
            layers.append(_layer(child, kind, name, places, description, seen))
    return layers


def _layer(
    group: Group, kind: str, name: str, places: tuple[str, str], description: ConfigLayer | None, seen: set[int]
) -> StoredLayer:
    place, path = places
    if group.address in seen:
        raise WeightsError(f"two layers share the group {shown(place + name)}")
    seen.add(group.address)
    stored_name = description.name if description else None
    weights: list[StoredWeight] = []
    if "vars" in group:
        variables = group.group("vars")
        stored_name = variables.text("name") or stored_name
        count = len(variables.names())
        if set(variables.names()) != {str(i) for i in range(count)}:
            raise WeightsError(f"the variables of {shown(place + name)} are not numbered from 0 to {count - 1}")
        weights = [stored_weight(variables, str(i), f"{place}{name}/vars/{i}") for i in range(count)]
        name_by_shape(weights, description.absent if description else (), kind)
    hidden = _variables_below(group, 0)
    if hidden:
        weights.append(StoredWeight(f"{place}{name}/{hidden}", None, problem=INSIDE_A_LAYER))
    group.file.window.charge(2 * len(place) + len(name))  # for the two strings that are created here
    return StoredLayer(
        stored_name, stored_name or f"{place}{name}", kind, weights, nested_in=place.rstrip("/"),
        path=f"{path}{description.name}" if description else None,
    )  # fmt: skip


def _variables_below(group: Group, depth: int) -> str | None:
    """The path of a float array in a layer inside this one, as in a wrapper or block; None if there is none."""
    if depth > DEEPEST_NESTING:
        raise WeightsError("layers are nested in a circle or too deeply")
    for name, inner in group.groups():
        if depth == 0 and name == "vars":
            continue  # the layer's own variables
        found = _first_floats(inner) if name == "vars" else _variables_below(inner, depth + 1)
        if found:
            return f"{name}/{found}"
    return None


def _first_floats(variables: Group) -> str | None:
    for name in variables.names():
        with suppress(WeightsError):  # for example a random state, or a link that is not followed
            if variables.dataset(name).datatype.is_float:
                return name
    return None


def _match_description(
    order: list[tuple[str, str]], described: tuple[ConfigLayer, ...] | None, place: str, notes: list[str]
) -> dict[str, tuple[int, ConfigLayer]] | None:
    """Find the described layer of each group: the k-th group of a class is the k-th described layer of that class."""
    if described is None:
        return None
    by_class: dict[str, list[tuple[int, ConfigLayer]]] = {}
    for position, layer in enumerate(described):
        by_class.setdefault(snake_case(layer.class_name), []).append((position, layer))
    groups: dict[str, list[str]] = {}
    for kind, name in order:
        groups.setdefault(kind, []).append(name)
    if any(len(names) != len(by_class.get(kind, ())) for kind, names in groups.items()):
        where = f" of {shown(place)}" if place else ""
        notes.append(f"the model's description does not fit the weights{where}; it was ignored")
        return None
    return {name: entry for kind, names in groups.items() for name, entry in zip(names, by_class[kind])}


def _class_and_number(name: str) -> tuple[str, int]:
    """("conv2d", 12) for `conv2d_12`, and ("conv2d", 0) for `conv2d`."""
    found = re.fullmatch(r"(.+?)_(\d{1,9})", name)
    return (found[1], int(found[2])) if found else (name, 0)
