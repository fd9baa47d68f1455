"""Export of a trained Tiny VGG to the files that poloclub's CNN Explainer reads.

    nn_10.json               every layer with its shapes; for each neuron its bias and one kernel per input channel
    model.json               the same network for TensorFlow.js, which the page also loads
    group1-shard1of1.bin     its weights, float32, little endian, in the order given by model.json

If these files are put into `public/assets/data/` of a copy of CNN Explainer, it shows this network instead of its own.
The page can draw only Tiny VGG, so the network must have that shape (`models.tiny_vgg`). A ReLU may be a separate
layer, and dropout layers are skipped. The page feeds pixels / 255 to the first layer. Any other preprocessing is folded
into the weights of that layer; this is exact because the layer has no padding.
"""

import json
import os
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.replacing import replacing
from minitorch_cnn.models.tiny_vgg import CLASSES, FILTERS, SIZE
from minitorch_cnn.network.sequential import Sequential

NAMES = (
    "conv_1_1", "relu_1_1", "conv_1_2", "relu_1_2", "max_pool_1",
    "conv_2_1", "relu_2_1", "conv_2_2", "relu_2_2", "max_pool_2", "flatten", "output",
)  # fmt: skip
FILES = ("nn_10.json", "model.json", "group1-shard1of1.bin")


def export(model: Sequential, folder: str | Path) -> list[Path]:
    """Write the three files into `folder` and return their paths.

    Raises ArgumentError, naming the layer, if the network has another shape, and CheckpointError if the folder cannot
    be written; existing files are then left intact.
    """
    stages = _stages(model)
    weights = _weights(model, stages)
    contents = (
        json.dumps(neurons(stages, weights), indent=1).encode(),
        json.dumps(_tfjs(weights), indent=1).encode(),
        b"".join(array.astype("<f4").tobytes() for pair in weights.values() for array in pair),
    )
    folder = Path(os.path.expanduser(folder))
    for name, content in zip(FILES, contents):
        with replacing(folder / name) as file:
            file.write(content)
    return [folder / name for name in FILES]


def neurons(stages: list[tuple], weights: dict[str, tuple[np.ndarray, ...]]) -> list[dict]:
    """The list of layers that nn_10.json holds.

    Arguments: `stages` as (kind, layer, input shape, output shape); `weights` as {exported name: (kernel, bias)}.
    """
    layers: list[dict] = []
    for name, (_, _, before, after) in zip(NAMES, stages):
        entry = {"name": name, "input_shape": list(before), "output_shape": list(after), "num_neurons": after[-1]}
        if name in weights:
            kernel, bias = weights[name]
            # (KH, KW, C, K) becomes [k][c][row][column] and (D, K) becomes [k][d]: first the neuron, then its inputs.
            turned = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
            entry["weights"] = [{"bias": float(b), "weights": w.tolist()} for b, w in zip(bias, turned)]
        layers.append(entry)
    return layers


def _stages(model: Sequential) -> list[tuple]:
    """(kind, layer, input shape, output shape) as the page draws them, with separate ReLUs and without dropout."""
    size = tuple(model.input_shape or ())
    if size != (SIZE, SIZE, 3):
        shape = "x".join(map(str, size))
        raise ArgumentError(f"CNN Explainer: expected a Tiny VGG, for images of {SIZE}x{SIZE}x3, got one for {shape}")
    if any(node.inputs != (place,) for place, node in enumerate(model.nodes())):
        raise ArgumentError("CNN Explainer: expected a Tiny VGG, a chain of layers, got a network with branches")
    stages = []
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Dropout":
            continue
        activation = getattr(layer.activation, "name", "linear")
        stages.append((kind, layer, layer.input_shape, layer.output_shape))
        if kind == "Conv2D" and activation == "relu":
            stages.append(("ReLU", layer, layer.output_shape, layer.output_shape))
        _check(layer, kind, activation)
    wanted = [{"c": "Conv2D", "r": "ReLU", "m": "MaxPool2D", "f": "Flatten", "o": "Dense"}[name[0]] for name in NAMES]
    for place, kind in enumerate(wanted):
        found = stages[place] if place < len(stages) else ("nothing", None)
        if found[0] != kind:
            where = found[1].name if found[1] is not None else "at the end"
            raise ArgumentError(f"CNN Explainer: {where}: expected {kind} for {NAMES[place]}, got {found[0]}")
    if len(stages) > len(NAMES):
        raise ArgumentError(f"CNN Explainer: {stages[len(NAMES)][1].name}: expected no layer after the output layer")
    return stages


def _check(layer, kind, activation):
    """Raise ArgumentError if a layer of the right kind has options that the page does not support."""
    fits = {
        "Conv2D": lambda: (
            (layer.kernel_size, layer.strides, layer.pixels, layer.filters, layer.use_bias)
            == ((3, 3), (1, 1), ((0, 0), (0, 0)), FILTERS, True)
            and activation in ("relu", "linear")
        ),
        "MaxPool2D": lambda: (layer.pool_size, layer.strides, layer.pixels) == ((2, 2), (2, 2), ((0, 0), (0, 0))),
        "Dense": lambda: (layer.units, layer.use_bias, activation) == (CLASSES, True, "softmax"),
    }
    expected = {
        "Conv2D": f"{FILTERS} filters of 3x3 with a bias, stride 1, no padding",
        "MaxPool2D": "2x2 windows, stride 2, no padding",
        "Dense": f"{CLASSES} units with a bias, softmax",
    }
    if kind in fits and not fits[kind]():
        raise ArgumentError(f"CNN Explainer: {layer.name}: expected {expected[kind]}, got {layer.describe()}")


def _weights(model, stages):
    """{exported name: (kernel, bias)}; those of the first layer are converted for pixels / 255 as its input."""
    weights = {
        name: tuple(np.array(layer.parameters[part], np.float64) for part in ("kernel", "bias"))
        for name, (kind, layer, *_) in zip(NAMES, stages)
        if kind in ("Conv2D", "Dense")
    }
    kernel, bias = weights[NAMES[0]]
    matrix, shift = _of_pixels(model.preprocessing)
    # For a pixel u between 0 and 1 the layer receives matrix @ u + shift.
    weights[NAMES[0]] = np.einsum("pqdk,dc->pqck", kernel, matrix), bias + np.einsum("pqdk,d->k", kernel, shift)
    return {name: tuple(array.astype(np.float32) for array in pair) for name, pair in weights.items()}


def _of_pixels(preprocessing):
    """(matrix (3, 3), shift (3,)) with preprocessing(pixel) = matrix @ (pixel / 255) + shift, found by probing it."""
    probes = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 30, 200]], np.uint8)
    seen = probes.astype(np.float64)
    if preprocessing is not None:
        seen = preprocessing(probes.reshape(-1, 1, 1, 3), "float64").reshape(-1, 3)
    shift, matrix = seen[0], (seen[1:4] - seen[0]).T
    if not np.allclose(matrix @ (probes[4] / 255) + shift, seen[4], atol=1e-9 * max(1.0, np.abs(seen).max())):
        raise ArgumentError("CNN Explainer: expected preprocessing that only scales and shifts pixels, got other steps")
    return matrix, shift


def _tfjs(weights):
    """The content of model.json: the topology in Keras's form, and the list of weight files."""
    manifest = [
        {"name": f"{name}/{part}", "shape": list(array.shape), "dtype": "float32"}
        for name, pair in weights.items()
        for part, array in zip(("kernel", "bias"), pair)
    ]
    config = {"name": "sequential", "layers": [_keras_layer(name, index) for index, name in enumerate(NAMES)]}
    topology = {"class_name": "Sequential", "config": config}
    return {
        "format": "layers-model",
        "generatedBy": "minitorch_cnn",
        "convertedBy": None,
        "modelTopology": {"keras_version": "2.2.4-tf", "backend": "tensorflow", "model_config": topology},
        "weightsManifest": [{"paths": [FILES[2]], "weights": manifest}],
    }


def _keras_layer(name, index):
    config = {"name": name, "trainable": True, "dtype": "float32"}
    if index == 0:
        config["batch_input_shape"] = [None, SIZE, SIZE, 3]
    if name.startswith("conv"):
        options = {"filters": FILTERS, "kernel_size": [3, 3], "strides": [1, 1], "padding": "valid"}
        options |= {"data_format": "channels_last", "dilation_rate": [1, 1], "activation": "linear", "use_bias": True}
        return {"class_name": "Conv2D", "config": {**config, **options}}
    if name.startswith("relu"):
        return {"class_name": "Activation", "config": {**config, "activation": "relu"}}
    if name.startswith("max_pool"):
        options = {"pool_size": [2, 2], "padding": "valid", "strides": [2, 2], "data_format": "channels_last"}
        return {"class_name": "MaxPooling2D", "config": {**config, **options}}
    if name == "flatten":
        return {"class_name": "Flatten", "config": {**config, "data_format": "channels_last"}}
    return {"class_name": "Dense", "config": {**config, "units": CLASSES, "activation": "softmax", "use_bias": True}}
