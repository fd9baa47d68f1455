"""Random small networks with weights that fit: descriptions as `Sequential.config` writes them, and odd geometry."""

import math

import numpy as np

from minitorch_cnn import Sequential

INPUTS = (
    (6, 5, 3), (6, 5, 3), (12, 12, 3), (32, 32, 3), (28, 28, 1), (1, 1, 1), (1, 700, 1), (900, 1, 2), (3, 3, 64),
    (5, 5, 300), (120, 90, 1), (7, 2, 17), (64, 64, 4),
)  # fmt: skip
COUNTS = (1, 1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 48, 64)
ACTIVATIONS = (None, "linear", "relu", "relu", "relu", "sigmoid", "tanh", "softmax")
ALGORITHMS = ("auto", "auto", "naive", "im2col", "row_windows", "winograd", "winograd")
FAR = (40, 100, 255, 257, 1000, 4096, 32767, 32768, 65536, 2**20, 2**31, 2**32 + 1, 2**40, 2**62)
MOST_NUMBERS = 1 << 16  # in the output of a layer that is written here
SLOW_NUMBERS = 1 << 11  # where the algorithm is the naive one
MOST_WEIGHTS = 1 << 17  # numbers in a file
MOST_CLASSES = 5000
PREPROCESSINGS = (None, None, {"kind": "unit"}, {"kind": "caffe"})
WORDS = (
    "Conv2D", "Dense", "MaxPool2D", "AveragePool2D", "GlobalAveragePool2D", "BatchNorm", "Flatten", "Dropout",
    "ZeroPad2D", "ReLU", "Sigmoid", "Softmax", "Tanh", "Layer", "linear", "relu", "sigmoid", "softmax", "tanh", "auto",
    "naive", "im2col", "row_windows", "winograd", "valid", "same", "float32", "float64", "float16", ">f4", "int64",
    "complex64", "unit", "caffe", "standardize", "kernel", "bias", "gamma", "moving_mean", "filters", "units",
    "kernel_size", "strides", "padding", "pool_size", "rate", "momentum", "epsilon", "activation", "algorithm", "name",
    "class", "layers", "input_shape", "conv2d_1",
)  # fmt: skip


def network(rng):
    """A random network as a dictionary, as `Sequential.config` describes one."""
    shape = rng.choice(INPUTS)
    found, layers = shape, []
    for _ in range(rng.choice((1, 2, 3, 4, 6, 10, 30))):
        added = layer(found, rng)
        after = shape_after([added], found)
        if after is not None and math.prod(after) <= (SLOW_NUMBERS if _is_naive(added) else MOST_NUMBERS):
            layers.append(added)
            found = after
    if rng.random() < 0.85:
        kind = "GlobalAveragePool2D" if len(found) == 3 and math.prod(found) > 1000 else "Flatten"
        units, activation = rng.choice(((3, "softmax"), (10, "softmax"), (1, "sigmoid"), (2, None)))
        layers += [{"class": kind}] if len(found) == 3 else []
        layers += [{"class": "Dense", "units": units, "activation": activation}]
    return {
        "input_shape": list(shape),
        "seed": rng.randrange(2**32),
        "dtype": rng.choice(("float32", "float32", "float64")),
        "preprocessing": _preprocessing(shape[-1], rng),
        "layers": named(layers),
    }


def layer(shape, rng):
    """A random layer, which may or may not fit an input of `shape`."""
    if len(shape) == 1:
        kinds = ("Dense", "Dense", "Dense", "Dropout", "BatchNorm", "ReLU", "Softmax", "Tanh", "Sigmoid", "Flatten")
    else:
        kinds = ("Conv2D",) * 6 + ("MaxPool2D",) * 3 + tuple(SETTINGS_OF)
    kind = rng.choice(kinds)
    return {"class": kind, **{name: SETTINGS[name](rng) for name in SETTINGS_OF[kind]}}


def _is_naive(description):
    return description.get("algorithm") == "naive"


def _preprocessing(channels, rng):
    standardize = {"kind": "standardize", "mean": [99.5] * channels, "std": [64.25] * channels}
    return rng.choice((*PREPROCESSINGS, standardize))


def named(layers):
    """The same layers, each with a name of its own."""
    return [{**layer, "name": f"{layer['class'].lower()}_{number}"} for number, layer in enumerate(layers, 1)]


def _sides(*choices):
    """A function that draws an integer or a pair of them, now and then one that is far larger."""

    def draw(rng):
        one, other = (rng.choice(FAR if rng.random() < 0.05 else choices) for _ in range(2))
        return one if rng.random() < 0.6 else [one, other]

    return draw


def _padding(rng):
    sides = _sides(0, 1, 1, 2, 3, 7, 30)
    four = [[rng.randrange(4), rng.randrange(4)], [rng.randrange(4), rng.randrange(9)]]
    return rng.choice(("valid", "same", "same", sides(rng), four))


# name: function that draws a value of it
SETTINGS = {
    "filters": lambda rng: rng.choice(COUNTS),
    "units": lambda rng: rng.choice((*COUNTS, 100, 999)),
    "kernel_size": _sides(1, 1, 2, 3, 3, 3, 5, 7, 12),
    "pool_size": _sides(1, 2, 2, 2, 3, 5, 17),
    "strides": _sides(1, 1, 1, 2, 2, 3, 5),
    "padding": _padding,
    "activation": lambda rng: rng.choice(ACTIVATIONS),
    "algorithm": lambda rng: rng.choice(ALGORITHMS),
    "use_bias": lambda rng: rng.random() < 0.8,
    "rate": lambda rng: rng.choice((0, 0.1, 0.5, 0.999999999)),
    "momentum": lambda rng: rng.choice((0, 0.5, 0.99, 1)),
    "epsilon": lambda rng: rng.choice((1e-3, 1e-30, 1e300)),
    "center": lambda rng: rng.random() < 0.8,
    "scale": lambda rng: rng.random() < 0.8,
    "trainable": lambda rng: rng.random() < 0.8,
}
SETTINGS_OF = {
    "Conv2D": ("filters", "kernel_size", "strides", "padding", "activation", "use_bias", "algorithm", "trainable"),
    "MaxPool2D": ("pool_size", "strides", "padding"),
    "AveragePool2D": ("pool_size", "strides", "padding"),
    "ZeroPad2D": ("padding",),
    "BatchNorm": ("momentum", "epsilon", "center", "scale", "trainable"),
    "Dropout": ("rate",),
    "Dense": ("units", "activation", "use_bias", "trainable"),
    "GlobalAveragePool2D": (),
    "Flatten": (),
    "ReLU": (),
    "Sigmoid": (),
    "Softmax": (),
    "Tanh": (),
}


def built(config):
    """The described model's layers, with shapes and without arrays; None if it cannot be built."""
    try:
        model = Sequential.from_config({**config, "input_shape": None})
        shape = tuple(int(size) for size in config["input_shape"])
        for layer in model.layers:
            layer.build(shape)
            shape = tuple(layer.output_shape)
    except Exception:  # whatever a description that makes no sense can raise
        return None
    return model.layers


def shape_after(layers, shape):
    """The shape after `layers` (descriptions) for an input of `shape`; None if they do not fit it."""
    stack = built({"layers": layers, "input_shape": shape, "seed": 0, "dtype": "float32"})
    return stack[-1].output_shape if stack else None


def weights(config, rng):
    """{(layer, parameter): array} as the description needs them; None if it cannot be built or needs too many."""
    if not (stack := built(config)):
        return None
    shapes = {(layer.name, name): shape for layer in stack for name, shape in layer.parameter_shapes().items()}
    if sum(map(math.prod, shapes.values())) > MOST_WEIGHTS:
        return None
    numbers = np.random.default_rng(rng.getrandbits(32))
    dtype = "float64" if config["dtype"] == "float64" else "float32"
    found = {}
    for key, shape in shapes.items():
        fan_in = math.prod(shape[:-1])
        array = numbers.standard_normal(shape, dtype) / math.sqrt(fan_in)
        found[key] = np.abs(array) if key[1] == "moving_variance" else array
    return found


def classes(config):
    """How many class names the description needs; None if it cannot be built or needs very many."""
    stack = built(config)
    count = max(2, math.prod(stack[-1].output_shape)) if stack else 0
    return count if 0 < count <= MOST_CLASSES else None
