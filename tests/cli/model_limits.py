"""How much the largest models take that a file may hold: `python tests/cli/model_limits.py` prints the table.

Each row is a model of one kind of layer, made as large as it may be. The figures are for one image: memory in MiB
besides the weights, and seconds of processor time; as estimated, with the compiled twins, and with the definitions.
"""

import argparse
import contextlib
import ctypes
import functools
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from minitorch_cnn import Input, Model, layers
from minitorch_cnn.arrays.dispatch import definitions_everywhere
from minitorch_cnn.engine.passes import graph
from minitorch_cnn.errors import UserError
from minitorch_cnn.network.cost import MOST_MIB, MOST_SECONDS, check_cost, costs

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
from watching import Memory

LARGEST = 2**22


def conv(algorithm, K=1, C=1, kernel=3, strides=1, padding="valid", **options):
    return lambda n: ([layers.Conv2D(K, kernel, strides, padding, algorithm=algorithm, **options)], (n, n, C))


def merged(merge, *branches, shape=None):
    """A network that reads its input in several places: `merge` of what the `branches` make of it."""
    return lambda n: (lambda x: merge()([branch(x) for branch in branches]), shape or (n, n, 3))


def same(x):
    """The input itself."""
    return x


def sums(x, times):
    """x + x + ...: as many layers as times."""
    return functools.reduce(lambda y, _: layers.Add()([y, x]), range(times), x)


def whole(x):
    """One number for each channel."""
    return layers.GlobalAveragePool2D(keepdims=True)(x)


# name: a function of a size n that gives (layers, or a function of an Input, input shape)
KINDS = {
    "row windows, one channel": conv("row_windows"),
    "row windows, wide window": lambda n: ([layers.Conv2D(1, (1, 200), algorithm="row_windows")], (n, n, 1)),
    "row windows, tall window": lambda n: ([layers.Conv2D(2, (200, 1), algorithm="row_windows")], (n, n, 1)),
    "row windows, 64 to 64": conv("row_windows", 64, 64),
    "row windows, window of n x n": lambda n: ([layers.Conv2D(1, n, algorithm="row_windows")], (n, n, 2)),
    "row windows, window of n x n, padded": lambda n: ([layers.Conv2D(1, n, padding="same")], (n, n, 1)),
    "im2col, one channel": conv("im2col"),
    "im2col, window of 30 x 30": conv("im2col", 3, 1, 30),
    "im2col, 64 to 64": conv("im2col", 64, 64),
    "im2col, strides of n": lambda n: ([layers.Conv2D(2, 2, n, n, algorithm="im2col")], (9, 9, 2)),
    "winograd, one channel": conv("winograd"),
    "winograd, 64 to 64": conv("winograd", 64, 64),
    "winograd, n channels to one": lambda n: ([layers.Conv2D(1, 3, algorithm="winograd")], (4, 5, n)),
    "winograd, one channel to n": lambda n: ([layers.Conv2D(n, 3, algorithm="winograd")], (4, 5, 1)),
    "auto, 1x1, 256 to 256": conv("auto", 256, 256, 1),
    "auto, padding of n": lambda n: ([layers.Conv2D(1, 1, 1 + n // 50, n)], (3, 5, 1)),
    "auto, with sigmoid": conv("auto", 3, 3, activation="sigmoid"),
    "auto, one to n channels": lambda n: ([layers.Conv2D(n, 1, activation="softmax")], (50, 50, 1)),
    "naive": conv("naive"),
    "naive, n filters": lambda n: ([layers.Conv2D(n, 3, algorithm="naive")], (9, 9, 1)),
    "naive, window of n x n": lambda n: ([layers.Conv2D(1, n, padding="same", algorithm="naive")], (n, n, 1)),
    "convolution, ReLU and pool": lambda n: ([layers.Conv2D(17, 3, activation="relu"), layers.MaxPool2D(2)], (n, n, 3)),
    "max pool": lambda n: ([layers.MaxPool2D(2)], (n, n, 3)),
    "max pool, overlapping": lambda n: ([layers.MaxPool2D(9, 1)], (n, n, 3)),
    "max pool, padded": lambda n: ([layers.MaxPool2D(3, 2, padding=2)], (n, n, 3)),
    "max pool of n x n": lambda n: ([layers.MaxPool2D(n)], (n, n, 1)),
    "average pool": lambda n: ([layers.AveragePool2D(2)], (n, n, 1)),
    "average pool of n x n": lambda n: ([layers.AveragePool2D(n)], (n, n, 1)),
    "average pool, overlapping": lambda n: ([layers.AveragePool2D(7, 1, "same")], (n, n, 1)),
    "global average": lambda n: ([layers.GlobalAveragePool2D()], (n, n, 3)),
    "padding": lambda n: ([layers.ZeroPad2D(n)], (3, 4, 1)),
    "batch norm": lambda n: ([layers.BatchNorm()], (n, n, 3)),
    "three activations": lambda n: ([layers.Sigmoid(), layers.Tanh(), layers.Softmax()], (n, n, 3)),
    "flatten and dense": lambda n: ([layers.Flatten(), layers.Dense(1)], (n, n, 3)),
    "dense, one unit": lambda n: ([layers.Dense(1)], (n,)),
    "dense, 17 to n": lambda n: ([layers.Dense(n, activation="sigmoid")], (17,)),
    "dense, n to n": lambda n: ([layers.Dense(n)], (n,)),
    "dilated": lambda n: ([layers.Conv2D(3, 3, dilation_rate=5)], (n, n, 2)),
    "dilated, window of n x n, padded": lambda n: ([layers.Conv2D(1, n, padding="same", dilation_rate=2)], (n, n, 1)),
    "groups of one channel": lambda n: ([layers.Conv2D(n, 3, groups=n)], (40, 50, n)),
    "two groups, 64 to 64": conv("auto", 64, 64, groups=2),
    "depthwise": lambda n: ([layers.DepthwiseConv2D(3, padding="same", activation="gelu")], (n, n, 3)),
    "depthwise, one to n channels": lambda n: ([layers.DepthwiseConv2D(3, depth_multiplier=n)], (20, 30, 1)),
    "depthwise, window of n x n": lambda n: ([layers.DepthwiseConv2D(n, padding="same")], (n, n, 2)),
    "separable": lambda n: ([layers.SeparableConv2D(17, 3, activation="silu")], (n, n, 3)),
    "separable, n between": lambda n: ([layers.SeparableConv2D(2, 3, depth_multiplier=n)], (30, 20, 1)),
    "transposed": lambda n: ([layers.Conv2DTranspose(3, 3, 2, "same")], (n, n, 4)),
    "transposed, 64 to 64": lambda n: ([layers.Conv2DTranspose(64, 3)], (n, n, 64)),
    "transposed, window of n x n": lambda n: ([layers.Conv2DTranspose(1, n)], (9, 9, 2)),
    "transposed, strides of n": lambda n: ([layers.Conv2DTranspose(2, 2, n)], (9, 9, 2)),
    "transposed, naive": lambda n: ([layers.Conv2DTranspose(2, 3, algorithm="naive")], (n, n, 2)),
    "transposed, dilated": lambda n: ([layers.Conv2DTranspose(2, 3, dilation_rate=3)], (n, n, 2)),
    "upsampling": lambda n: ([layers.UpSampling2D(2)], (n, n, 3)),
    "upsampling by n": lambda n: ([layers.UpSampling2D(n, "bilinear")], (4, 5, 2)),
    "resizing to n x n": lambda n: ([layers.Resizing(n, n)], (5, 4, 3)),
    "resizing from n x n": lambda n: ([layers.Resizing(5, 4, "nearest")], (n, n, 3)),
    "cropping, permuting, reshaping": lambda n: (
        [layers.Cropping2D(1), layers.Permute((3, 1, 2)), layers.Reshape((-1, 1))],
        (n, n, 3),
    ),
    "layer norm and scales": lambda n: (
        [layers.LayerNorm(), layers.LayerScale(), layers.Rescaling(2), layers.Normalization()],
        (n, n, 3),
    ),
    "newer activations": lambda n: (
        [layers.ELU(), layers.LeakyReLU(), layers.PReLU((1, 2)), layers.Activation("gelu")],
        (n, n, 3),
    ),
    "global maximum": lambda n: ([layers.GlobalMaxPool2D()], (n, n, 3)),
    "bent ReLU and dropout": lambda n: ([layers.ReLU(6, 0.1, 0.2), layers.ReLU(), layers.Dropout(0.5)], (n, n, 3)),
    "gelu by tanh": lambda n: ([layers.Activation("gelu_tanh")], (n, n, 3)),
    "sum": merged(layers.Add, same, same),
    "sum of n": lambda n: (lambda x: layers.Add()([x] * n), (90, 80, 3)),
    "sum of a row and a column of n": lambda n: (lambda x: layers.Add()([x, layers.Permute((2, 1, 3))(x)]), (n, 1, 2)),
    "difference": merged(layers.Subtract, same, lambda x: layers.Tanh()(x)),
    "product": merged(layers.Multiply, same, same, whole),
    "product of n": lambda n: (lambda x: layers.Multiply()([x] * n), (90, 80, 3)),
    "mean of three": merged(layers.Average, same, whole, same),
    "largest of three": merged(layers.Maximum, same, same, whole),
    "concatenation": merged(layers.Concatenate, same, same, same),
    "concatenation of n": lambda n: (lambda x: layers.Concatenate(1)([x] * n), (90, 80, 3)),
    "n sums": lambda n: (lambda x: sums(x, min(n, 20_000)), (30, 40, 2)),
    "n layers": lambda n: ([layers.BatchNorm() for _ in range(min(n, 20_000))], (3, 4, 2)),
}


def network(kind, n):
    """(input, output) of the model of that size, as Values; ShapeError or ArgumentError if a layer refuses it."""
    made, shape = KINDS[kind](n)
    x = Input(shape)
    return x, made(x) if callable(made) else functools.reduce(lambda value, layer: layer(value), made, x)


def accepted(kind, n):
    """Whether a stored model of that size would be read."""
    try:
        x, y = network(kind, n)
        nodes, ends = graph([x], [y])
        check_cost(nodes, [x.shape], ends, "float32")
    except UserError:
        return False
    return True


def smallest(kind):
    """A small size in which the window fits."""
    return next(n for n in (4, 40, 400) if accepted(kind, n))


def largest(kind):
    """The largest size that is accepted."""
    low, high = smallest(kind), LARGEST
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if accepted(kind, middle) else (low, middle)
    return low


def measured(kind, n, definitions):
    """(MiB, seconds of processor time) of a prediction for one image."""
    model, memory = Model(*network(kind, n), seed=0), Memory()
    for layer in model.layers:
        layer._undrawn = None
        for name in layer.parameter_shapes():
            layer.parameters[name][...] = 0.5
    x = np.zeros((1, *model.input_shape), np.float32)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # memory that the last measurement left would hide what this one takes
    with definitions_everywhere(definitions):
        start = time.process_time()
        with memory.measured():
            model.predict(x)
    return memory.mib, time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"at most {MOST_MIB} MiB and {MOST_SECONDS} seconds by the estimate")
    print("| largest model | n | estimated MiB, s | compiled MiB, s | definitions MiB, s |\n|---|---|---|---|---|")
    worst = [0, 0.0]
    for kind in options.kinds or KINDS:
        measured(kind, smallest(kind), False), measured(kind, smallest(kind), True)  # compiled and imported
        n = largest(kind)
        x, y = network(kind, n)
        nodes, ends = graph([x], [y])
        estimated = [cost for _, cost in costs(nodes, [x.shape], ends)]
        cells = [f"{max(cost.numbers for cost in estimated) >> 18} {sum(cost.seconds for cost in estimated):.1f}"]
        for definitions in (False, True):
            mib, seconds = measured(kind, n, definitions)
            worst = [max(worst[0], mib), max(worst[1], seconds)]
            cells.append(f"{mib} {seconds:.1f}")
        print(f"| {kind} | {n:,} | {' | '.join(cells)} |", flush=True)
    print(f"most: {worst[0]} MiB, {worst[1]:.1f} s")


if __name__ == "__main__":
    main()
