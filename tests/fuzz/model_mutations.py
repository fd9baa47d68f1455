"""Edits of a stored model by meaning: most files stay consistent, with weights of the shapes that are described.

An edit that leaves a file inconsistent is refused at the first comparison of shapes. So after the edits, weights and
class names are usually made anew, and what has been edited reaches the computations.
"""

import io
import json
import zipfile

import networks
import numpy as np
import semantic
from mutations import LONGEST
from numpy.lib import format as npy

from minitorch_cnn import checkpoint

MOST_LAYERS = 1200


def mutated_model(data, others, words, rng):
    """A `model.npz`: a new random network or the one in `data`, after up to three edits."""
    arrays, facts = (_stored(networks.network(rng), rng) if rng.random() < 0.5 else None) or opened(data)
    if not isinstance(facts, dict) or not isinstance(facts.get("model"), dict):
        return data
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        edit = EDITS[rng.choice((*EDITS, "a usual setting", "a far setting"))]
        facts["model"], arrays = edit(facts["model"], arrays, rng)
    if rng.random() < 0.9:
        arrays, facts = _stored(facts["model"], rng) or (arrays, facts)
    if rng.random() < 0.1:
        facts = semantic.edited(facts, networks.WORDS, rng)
    found = packed(arrays, facts)
    return found if len(found) <= LONGEST else data


def _stored(config, rng):
    """(arrays, facts) of a file with the network `config`; None if it cannot be built or is too large."""
    arrays, classes = networks.weights(config, rng), networks.classes(config)
    if arrays is None or classes is None:
        return None
    return arrays, {"model": config, "class_names": [f"class {number}" for number in range(classes)]}


def opened(data):
    """(arrays, facts) of a file that `packed` or `checkpoint.save` wrote."""
    with np.load(io.BytesIO(data)) as file:
        description = json.loads(file["description"].tobytes())
        return {tuple(key): file[str(number)] for number, key in enumerate(description["keys"])}, description["facts"]


def packed(arrays, facts):
    """The bytes of a checkpoint with `arrays` {(layer, name): array} and `facts`."""
    text = json.dumps({"format": checkpoint.FORMAT, "keys": [list(key) for key in arrays], "facts": facts})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in (("description", np.frombuffer(text.encode(), np.uint8)), *enumerate(arrays.values())):
            with archive.open(f"{name}.npy", "w") as member:
                npy.write_array(member, array)
    return file.getvalue()


# Edits: functions of (config, arrays, rng) to new ones.


def _of_layers(edit):
    """An edit of the list of layers; `edit(layers, place, rng)` returns a new list."""

    def edits(config, arrays, rng):
        layers = config.get("layers")
        if not isinstance(layers, list) or not layers or not all(isinstance(layer, dict) for layer in layers):
            return config, arrays
        layers = edit(list(layers), rng.randrange(len(layers)), rng)
        return {**config, "layers": layers[:MOST_LAYERS]}, arrays

    return edits


def _renamed(layers):
    return networks.named([{**layer, "class": str(layer.get("class"))} for layer in layers])


def _insert(layers, place, rng):
    shape = (8, 8, 3) if any(layer.get("class") in ("Conv2D", "MaxPool2D") for layer in layers[place:]) else (9,)
    return _renamed([*layers[:place], networks.layer(shape, rng), *layers[place:]])


def _remove(layers, place, rng):
    return layers[:place] + layers[place + 1 :]


def _double(layers, place, rng):
    return _renamed([*layers[: place + 1], *layers[place:]])


def _swap(layers, place, rng):
    other = rng.randrange(len(layers))
    layers[place], layers[other] = layers[other], layers[place]
    return layers


def _repeat(layers, place, rng):
    times = rng.choice((3, 3, 10, 10, 30, 100, 100, 1000))
    return _renamed([*layers[:place], *[layers[place]] * times, *layers[place + 1 :]])


def _setting(layers, place, rng):
    """A value of those that are usual for one setting."""
    return _set(layers, place, rng, lambda name: networks.SETTINGS[name](rng))


def _far_setting(layers, place, rng):
    """A value far outside of those that are usual for one setting: the number or one of a pair."""

    def value(name):
        number = rng.choice((*semantic.LARGE, *networks.FAR, 0, -1, 0.5))
        return rng.choice((number, number, [number, 1], [1, number], [number, number], [[number, 0], [0, 1]]))

    return _set(layers, place, rng, value)


def _set(layers, place, rng, value):
    names = networks.SETTINGS_OF.get(str(layers[place].get("class")), ())
    if names:
        name = rng.choice(names)
        layers[place] = {**layers[place], name: value(name)}
    return layers


def _input_shape(config, arrays, rng):
    shape = list(rng.choice(networks.INPUTS))
    place = rng.randrange(3)
    shape[place] = rng.choice((shape[place], 1, 2, 13, 64, 500, 3000, *semantic.LARGE))
    return {**config, "input_shape": rng.choice((shape, shape, shape, shape[:2], shape[:1], [*shape, 1]))}, arrays


def _any_value(config, arrays, rng):
    return semantic.edited(config, networks.WORDS, rng), arrays


def _array(edit):
    """An edit of one array; `edit(array, rng)` returns a new one."""

    def edits(config, arrays, rng):
        if not arrays:
            return config, arrays
        key = rng.choice(list(arrays))
        return config, {**arrays, key: edit(np.asarray(arrays[key]), rng)}

    return edits


def _dtype(array, rng):
    with np.errstate(all="ignore"):
        return array.astype(rng.choice(("f2", "f4", "f8", ">f4", "i1", "i8", "u2", "?")))


def _shape(array, rng):
    sizes = (array.reshape(-1), array[None], array.T, array.reshape(-1)[:0], np.zeros((0, 2**40)), np.float32(1))
    return np.asarray(rng.choice(sizes))


def _values(array, rng):
    value = rng.choice((np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0))
    changed = array.astype("f4").reshape(-1)
    changed[:: rng.choice((1, 2, 7))] = value
    return changed.reshape(array.shape)


def _without_an_array(config, arrays, rng):
    left_out = rng.choice([*arrays, None])
    return config, {key: array for key, array in arrays.items() if key != left_out}


EDITS = {
    "a layer inserted": _of_layers(_insert),
    "a layer removed": _of_layers(_remove),
    "a layer doubled": _of_layers(_double),
    "layers swapped": _of_layers(_swap),
    "a layer repeated": _of_layers(_repeat),
    "a usual setting": _of_layers(_setting),
    "a far setting": _of_layers(_far_setting),
    "input shape": _input_shape,
    "any value": _any_value,
    "type of an array": _array(_dtype),
    "shape of an array": _array(_shape),
    "values of an array": _array(_values),
    "an array left out": _without_an_array,
}
ARRAY_EDITS = [EDITS[name] for name in EDITS if "array" in name]
