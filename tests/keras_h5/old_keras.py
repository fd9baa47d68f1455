"""Files as old Keras versions laid them out, written with h5py from the definition and not by the code under test."""

import json

import h5py
import numpy as np

FLATTENED = {"dense": (2, 2, 6)}


def stored_form(weights, filters_first=False, turned=False, channels_first_rows=False):
    """The arrays as an old Keras would have stored them: by loops over the definition, not by the code under test."""
    stored = {}
    for layer, arrays in weights.items():
        stored[layer] = dict(arrays)
        kernel = arrays["kernel"]
        if kernel.ndim == 4:
            rows, columns, channels, filters = kernel.shape
            old = np.empty((filters, channels, rows, columns) if filters_first else kernel.shape, np.float32)
            for i in range(rows):
                for j in range(columns):
                    pixel = kernel[rows - 1 - i, columns - 1 - j] if turned else kernel[i, j]
                    if filters_first:
                        old[:, :, i, j] = pixel.T
                    else:
                        old[i, j] = pixel
            stored[layer]["kernel"] = old
        elif channels_first_rows and layer in FLATTENED:
            rows, columns, channels = FLATTENED[layer]
            old = np.empty_like(kernel)
            for r in range(rows):
                for c in range(columns):
                    for k in range(channels):
                        old[(k * rows + r) * columns + c] = kernel[(r * columns + c) * channels + k]
            stored[layer]["kernel"] = old
    return stored


def write_numbers(path, weights):
    """Keras 0.x: `nb_layers`, `layer_0`, `param_0`."""
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = len(weights)
        for k, arrays in enumerate(weights.values()):
            group = file.create_group(f"layer_{k}")
            group.attrs["nb_params"] = len(arrays)
            for i, array in enumerate(arrays.values()):
                group[f"param_{i}"] = array


def write_names(path, weights, spelling, attributes=None, config=None):
    """Keras 1 and later: `layer_names`, `weight_names`; with `config` a whole model."""
    short = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}
    with h5py.File(path, "w") as file:
        root = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            root = file.create_group("model_weights")
        root.attrs.update(attributes or {})
        root.attrs["layer_names"] = np.array([layer.encode() for layer in weights])
        for layer, arrays in weights.items():
            group = root.create_group(layer)
            names = [spelling.format(layer=layer, name=name, short=short.get(name, name)) for name in arrays]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, array in zip(names, arrays.values()):
                group[name] = array


THEANO_1, TENSORFLOW_1, UNNAMED_1 = "{layer}_{short}", "{layer}_{short}_1:0", "{layer}_{name}_param"
KERAS_2, KERAS_2_THEANO = "{layer}/{name}:0", "{layer}/{name}"
