"""The models of the weight-file tests, once as plain tables that Keras and this project both build from.

A layer is `(class, name, settings)`; a nested model is `("Functional", name, [layers])`. Every weight has a value that
follows from its name alone, so any two programs agree on what a file must hold.
"""

import zlib

import numpy as np

INPUT_SHAPE = (12, 12, 3)


def conv(name, filters, **settings):
    return ("Conv2D", name, {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu", **settings})


def dense(name, units, activation="relu"):
    return ("Dense", name, {"units": units, "activation": activation})


def norm(name, **settings):
    return ("BatchNormalization", name, settings)


def pool(name):
    return ("MaxPooling2D", name, {"pool_size": 2})


MODELS = {
    "seq": [
        conv("conv2d", 4), conv("conv2d_1", 4, padding="valid"), pool("max_pooling2d"),
        conv("conv2d_2", 6, activation="linear"), pool("max_pooling2d_1"),
        ("Flatten", "flatten", {}), dense("dense", 8), ("Dropout", "dropout", {"rate": 0.5}),
        dense("dense_1", 3, "softmax"),
    ],
    "nested": [
        ("Functional", "mini_vgg", [
            conv("block1_conv1", 4), conv("block1_conv2", 4), pool("block1_pool"),
            conv("block2_conv1", 6), conv("block2_conv2", 6), pool("block2_pool"),
        ]),
        ("Flatten", "flatten", {}), dense("fc1", 10), ("Dropout", "drop", {"rate": 0.5}),
        dense("predictions", 1, "sigmoid"),
    ],
    "norm": [
        conv("first", 4, use_bias=False), norm("first_norm"), pool("pool"), conv("second", 5),
        norm("second_norm", scale=False), ("Flatten", "flatten", {}), dense("last", 3), norm("last_norm", center=False),
    ],
    "nested_norm": [
        ("Functional", "base", [
            conv("first", 4, use_bias=False), norm("first_norm"), conv("second", 4), norm("second_norm"),
        ]),
        pool("pool"), ("Flatten", "flatten", {}), dense("last", 3),
    ],
    # Three kernels of equal shape, the first frozen: a reader that goes by position swaps them without an error.
    "equal_kernels": [
        ("Functional", "base", [conv("first", 4), conv("second", 4), conv("third", 4), conv("fourth", 4)]),
        pool("pool"), ("Flatten", "flatten", {}), dense("last", 3),
    ],
    # Convolutions inside and outside the nested model, of equal shape.
    "inside_and_outside": [
        conv("before", 4), conv("middle", 4),
        ("Functional", "base", [conv("first", 4), conv("second", 4)]),
        conv("after", 4), ("Flatten", "flatten", {}), dense("last", 3),
    ],
    # VGG's shape cut behind its last pool, with a new top under this project's own names.
    "transfer": [
        conv("block1_conv1", 4), conv("block1_conv2", 4), pool("block1_pool"),
        conv("block2_conv1", 6), conv("block2_conv2", 6), pool("block2_pool"),
        ("Flatten", "flatten_1", {}), dense("dense_1", 7), ("Dropout", "dropout_1", {"rate": 0.5}),
        dense("dense_2", 1, "sigmoid"),
    ],
    # Names that Keras can have: a number, words of the file format, dots and dashes, a very long one.
    "odd_names": [
        conv("0", 4), norm(".a-b_c"), conv("n" * 300, 4), pool("kernel"), conv("conv2d_1_1", 5),
        ("Flatten", "layer_names", {}), dense("vars", 3, "softmax"),
    ],
    # Names that TensorFlow cannot have: Keras builds the same layers under other names.
    "foreign_names": [
        conv("stage 1 conv", 4), norm("Blöck-2.x"), pool("a/b"), conv("日本", 4), ("Flatten", "%s", {}),
        dense("dense:0", 3, "softmax"),
    ],
}  # fmt: skip
FROZEN = {
    "equal_kernels": ("first", "second"), "nested_norm": ("first", "first_norm"),
    "transfer": ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2"),
}  # fmt: skip


def flat(layers):
    """The layers without nesting."""
    for layer in layers:
        if layer[0] == "Functional":
            yield from flat(layer[2])
        else:
            yield layer


def weight_value(layer, weight, shape):
    """A weight that follows from its name: small normal numbers, positive ones for a variance."""
    random = np.random.default_rng(zlib.crc32(f"{layer}.{weight}".encode()))
    values = random.normal(0, 0.2, shape).astype(np.float32)
    return np.abs(values) + np.float32(0.5) if weight == "moving_variance" else values


def weight_shapes(layer, input_shape):
    """The layer's weights in Keras's order, and the shape of its output."""
    kind, _, settings = layer
    if kind == "Conv2D":
        rows, columns, channels = input_shape
        size, filters = settings["kernel_size"], settings["filters"]
        lost = 0 if settings["padding"] == "same" else size - 1
        shapes = {"kernel": (size, size, channels, filters), "bias": (filters,)}
        if not settings.get("use_bias", True):
            del shapes["bias"]
        return shapes, (rows - lost, columns - lost, filters)
    if kind == "Dense":
        return {"kernel": (input_shape[0], settings["units"]), "bias": (settings["units"],)}, (settings["units"],)
    if kind == "BatchNormalization":
        names = ["gamma"] * settings.get("scale", True) + ["beta"] * settings.get("center", True)
        return {name: input_shape[-1:] for name in [*names, "moving_mean", "moving_variance"]}, input_shape
    if kind == "MaxPooling2D":
        return {}, (input_shape[0] // 2, input_shape[1] // 2, input_shape[2])
    if kind == "Flatten":
        return {}, (int(np.prod(input_shape)),)
    return {}, input_shape


def all_weights(model):
    """Every weight of the flat model by layer and name."""
    weights, shape = {}, INPUT_SHAPE
    for layer in flat(MODELS[model]):
        shapes, shape = weight_shapes(layer, shape)
        if shapes:
            weights[layer[1]] = {name: weight_value(layer[1], name, size) for name, size in shapes.items()}
    return weights
