"""Whole-model files of Keras with networks of `networks.py` in them, and edits of their descriptions by meaning."""

import io
import json
import zipfile

import h5py
import networks
import numpy as np
import semantic
from model_mutations import EDITS
from mutations import LONGEST
from target import small_model

CLASSES = {"MaxPool2D": "MaxPooling2D", "AveragePool2D": "AveragePooling2D", "GlobalAveragePool2D":
           "GlobalAveragePooling2D", "BatchNorm": "BatchNormalization", "ZeroPad2D": "ZeroPadding2D"}  # fmt: skip
ACTIVATIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax"}
ORDER = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
WORDS = (
    *CLASSES.values(), "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Flatten", "Dropout",
    "Activation", "InputLayer", "Rescaling", "Lambda", "TFOpLambda", "Sequential", "Functional", "Model", "Reshape",
    "LeakyReLU", "ReLU", "Add", "RandomFlip", "keras", "keras.layers", "os", "builtins", "channels_first",
    "channels_last", "th", "tf", "float16", "mixed_float16", "valid", "same", "causal", "relu", "gelu", "linear",
    "softmax", "class_name", "config", "layers", "module", "registered_name", "build_config", "batch_shape",
    "batch_input_shape", "input_shape", "inbound_nodes", "data_format", "dilation_rate", "groups", "name", "units",
    "filters", "kernel_size", "strides", "padding", "pool_size", "axis", "activation", "use_bias", "scale", "center",
    "max_value", "negative_slope", "threshold", "offset", "input_layers", "output_layers",
)  # fmt: skip


def mutated_keras(data, others, words, rng):
    """A `.keras` archive or a whole-model `.h5`, whichever `data` is: a new network, or its own; edited or not."""
    write, read = (packed_keras, keras_text) if data[:2] == b"PK" else (packed_h5, h5_text)
    if rng.random() < 0.5:
        tree, arrays = None, {}
        while tree is None:
            tree, arrays = whole_model(rng)
    else:
        text, arrays = read(data)
        tree = json.loads(text)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        tree = semantic.edited(tree, WORDS, rng)
    found = write(json.dumps(tree), arrays)
    return found if len(found) <= LONGEST else data


def whole_model(rng):
    """(Keras's description, {layer: [array]}) of a random network, perhaps with edits; (None, {}) if it is none."""
    config = small_model().config() if rng.random() < 0.3 else networks.network(rng)
    for layer in config["layers"]:
        if "padding" in layer and layer["class"] != "ZeroPad2D":  # Keras has no other padding within a layer
            layer["padding"] = layer["padding"] if isinstance(layer["padding"], str) else "same"
    for _ in range(rng.choice((0, 0, 1, 2))):
        config, _ = EDITS[rng.choice(("a usual setting", "a far setting", "input shape", "a layer repeated"))](
            config, {}, rng
        )
    arrays = networks.weights(config, rng)
    if arrays is None:
        return None, {}
    found = {layer["name"]: [] for layer in config["layers"]}
    for name in ORDER:
        for (layer, kind), array in arrays.items():
            if kind == name:
                found[layer].append(array)
    return described(config), found


def described(config):
    """Keras's description of a network that is described as `Sequential.config` does."""
    first = {"batch_shape": [None, *config["input_shape"]], "dtype": config["dtype"], "name": "input_layer"}
    layers = [{"module": "keras.layers", "class_name": "InputLayer", "config": first}]
    for layer in config["layers"]:
        settings = {key: value for key, value in layer.items() if key not in ("class", "algorithm")}
        kind = CLASSES.get(layer["class"], layer["class"])
        if kind in ACTIVATIONS:
            kind, settings["activation"] = "Activation", ACTIVATIONS[kind]
        if kind in ("Conv2D", "Dense"):
            settings["activation"] = settings.get("activation") or "linear"
        if kind == "BatchNormalization":
            settings["axis"] = -1
        settings |= {"trainable": True, "dtype": config["dtype"], "data_format": "channels_last"}
        layers.append({"module": "keras.layers", "class_name": kind, "config": settings, "registered_name": None})
    name = {"name": "sequential", "trainable": True, "dtype": config["dtype"], "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": name, "registered_name": None}


def packed_keras(text, arrays):
    """A `.keras` archive of Keras 3 with a description and {layer: [array]}."""
    weights, file = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as h5:
        for layer, found in arrays.items():
            variables = h5.create_group(f"layers/{layer}/vars")
            variables.attrs["name"] = layer
            for number, array in enumerate(found):
                variables[str(number)] = array
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1", "date_saved": "2026-11-23@09:14:36"}))
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", weights.getvalue())
    return file.getvalue()


def keras_text(data):
    """(description, {layer: [array]}) of what `packed_keras` wrote."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text, weights = archive.read("config.json"), archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(weights)) as h5:
        return text, {name: _arrays(group["vars"]) for name, group in h5.get("layers", {}).items()}


def packed_h5(text, arrays):
    """A whole-model `.h5` with a description and {layer: [array]}."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5.attrs["keras_version"] = "3.15.1"
        if len(text) < 60_000:  # the most that an attribute takes
            h5.attrs["model_config"] = text
        weights = h5.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([layer.encode() for layer in arrays], dtype=bytes)
        for layer, found in arrays.items():
            group = weights.create_group(layer)
            names = [f"{layer}/{number}" for number in range(len(found))]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], dtype=bytes)
            for name, array in zip(names, found):
                group[name] = array
    return file.getvalue()


def h5_text(data):
    """(description, {layer: [array]}) of what `packed_h5` wrote."""
    with h5py.File(io.BytesIO(data)) as h5:
        text = h5.attrs.get("model_config", "{}")
        weights = h5["model_weights"]
        return text, {name: _arrays(group.get(name, {})) for name, group in weights.items()}


def _arrays(group):
    return [group[str(number)][()] for number in range(len(group))]


def good_keras():
    return [packed_keras(json.dumps(described(small_model().config())), _small_arrays())]


def good_h5():
    return [packed_h5(json.dumps(described(small_model().config())), _small_arrays())]


def _small_arrays():
    return {layer.name: [layer.parameters[name] for name in ORDER if name in layer.parameters]
            for layer in small_model().layers}  # fmt: skip
