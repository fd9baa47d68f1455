"""What a pass will cost at most, estimated from the shapes alone, so that an untrusted model can be refused in time.

The figures are upper bounds, for the definitions as well as for the compiled twins, so they are often several times too
high. `tests/cli/model_limits.py` compares them with what is measured.
"""

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minitorch_cnn.engine import layers
from minitorch_cnn.engine.convolution.winograd import PATCH, serves, tile_count
from minitorch_cnn.engine.passes import Node
from minitorch_cnn.errors import ArgumentError

MOST_MIB = 768  # that a pass of an untrusted model may take besides the weights; VGG16 needs half of that
MOST_SECONDS = 10.0  # of a core that its forward pass may take for one image; VGG16 needs two thirds of that
LANES = 16  # compiled code fills channels up to a multiple of so many numbers
CALL, TAP, ELEMENT = 1e-3, 1e-5, 4e-9  # seconds: a layer, a Python loop's step, a pass over a number
SERIES = 250  # passes for the series of a gelu
FRESH = 1e-8  # seconds for a number in new memory
PRODUCT = 4e-10  # seconds for a multiplication; in a product with LANES columns or more, a twelfth of that
SHARED = 12


class Cost(NamedTuple):
    """The most that one image takes in a forward pass: numbers in memory besides the weights, and seconds of a core."""

    numbers: int
    seconds: float


def forward_cost(layer: Any) -> Cost:
    """The cost of a built `layer`; the numbers include its input and output."""
    numbers, seconds = RULES.get(type(layer), _by_element)(layer)
    numbers += _size(layer.input_shape) + _size(layer.output_shape)
    if getattr(layer.activation, "name", None) == "gelu":
        seconds += SERIES * ELEMENT * _size(layer.output_shape)
    return Cost(numbers, CALL + seconds + FRESH * numbers)


def costs(nodes: Sequence[Node], input_shapes: Sequence[tuple], ends: Sequence[int]) -> Iterator[tuple[Any, Cost]]:
    """(layer, Cost) of each node of a forward pass; the numbers include the values that wait for other nodes."""
    readers = Counter(number for node in nodes for number in set(node.inputs)) + Counter(set(ends))
    waiting = {number: _size(shape) for number, shape in enumerate(input_shapes)}
    for node in nodes:
        cost = forward_cost(node.layer)
        others = sum(waiting.values()) - sum(waiting[number] for number in set(node.inputs))
        yield node.layer, Cost(cost.numbers + others, cost.seconds)
        for number in set(node.inputs):
            readers[number] -= 1
            if not readers[number]:
                del waiting[number]
        waiting[node.output] = _size(node.layer.output_shape)


def check_cost(nodes: Sequence[Node], input_shapes: Sequence[tuple], ends: Sequence[int], dtype: Any) -> None:
    """Check that a forward pass stays below the limits for one image; ArgumentError names the layer."""
    seconds = 0.0
    for layer, cost in costs(nodes, input_shapes, ends):
        seconds += cost.seconds
        mib = _mib(cost.numbers, dtype)
        if mib > MOST_MIB:
            raise ArgumentError(f"{layer.name}: it would take {mib:,} MiB for one image, expected at most {MOST_MIB}")
        if seconds > MOST_SECONDS:
            raise ArgumentError(
                f"{layer.name}: up to here the layers would take {seconds:,.0f} seconds for one image,"
                f" expected at most {MOST_SECONDS:.0f}"
            )


def images_at_once(model: Any, step: bool = False, dtype: Any = None, mib: int = MOST_MIB) -> int:
    """How many images a forward pass of a built `model` can take within `mib`; 0 if not even one.

    With `step` forward and backward, for which the outputs of all layers are kept. `dtype` left out is the model's.
    """
    nodes = model.nodes()
    shapes = [model.input_shape] if model.inputs == 1 else model.input_shape
    numbers = max(cost.numbers for _, cost in costs(nodes, shapes, model.ends))
    if step:
        numbers = max(numbers, *map(backward_numbers, model.layers))
        numbers = 3 * (numbers + sum(_size(node.layer.output_shape) for node in nodes))
    return mib // max(1, _mib(numbers, dtype or model.dtype))


def _size(shape: tuple) -> int:
    """How many numbers an array of this shape has, or arrays of these shapes together."""
    return sum(map(math.prod, shape)) if isinstance(shape[0], tuple) else math.prod(shape)


def backward_numbers(layer: Any) -> int:
    """The most numbers that the gradient of a convolution's input takes for an image; 0 for other layers."""
    if type(layer) is not layers.Conv2D:
        return 0
    (KH, KW), C, (OH, OW, K) = layer.kernel_size, layer.input_shape[2], layer.output_shape
    if not layer.plain:  # tap by tap
        return _padded(layer) + 3 * OH * OW * max(C, K)
    columns = OH * OW * KH * KW * C + _padded(layer)
    # Row windows convolve dy, with padding all around, so that every place counts where window and dy touch.
    around = (OH + 2 * KH) * (OW + 2 * KW) * K + (OH + KH) * (OW + KW) * (KW * K + 3 * C)
    return columns if layer.algorithm == "im2col" or layer.strides != (1, 1) else around


def _mib(numbers: int, dtype: Any) -> int:
    return numbers * np.dtype(dtype).itemsize >> 20


def _by_element(layer: Any) -> tuple:
    """Activations and normalization: up to eight arrays of the output's size at the same time."""
    outputs = math.prod(layer.output_shape)
    return 8 * outputs, 8 * ELEMENT * outputs


def _copied(layer: Any) -> tuple:
    outputs = math.prod(layer.output_shape)
    return outputs, ELEMENT * outputs


def _pooling(layer: Any) -> tuple:
    """A padded copy; every tap of the window is a loop step, and five passes over the output."""
    taps = math.prod(layer.pool_size)
    outputs, padded = math.prod(layer.output_shape), _padded(layer)
    pixels = math.prod(layer.output_shape[:2])
    return padded + 6 * outputs + 10 * pixels, taps * (TAP + 5 * ELEMENT * outputs) + ELEMENT * padded


def _dense(layer: Any) -> tuple:
    return _product(1, layer.input_shape[0], layer.units, layer.input_shape[0] * layer.units, _activation(layer))


def _activation(layer: Any) -> int:
    return {"linear": 0, "relu": 1, "tanh": 1}.get(layer.activation.name, 8) * math.prod(layer.output_shape)


def _product(rows: int, inner: int, columns: int, weights: int, more: int) -> tuple:
    """A matrix product; a twin copies weights whose columns are no multiple of LANES, filled up with zeros."""
    filled = columns + -columns % LANES
    numbers = rows * filled + (weights // columns * filled if filled > columns else 0)
    each = PRODUCT / SHARED if columns >= LANES and rows >= LANES else PRODUCT
    return numbers + more, rows * inner * columns * each


def _convolution(layer: Any) -> tuple:
    """A padded copy, and the scratch memory of the named algorithm, or of the greediest that "auto" may choose."""
    if not layer.plain:
        return _grouped(layer)
    (KH, KW), C, K = layer.kernel_size, layer.input_shape[2], layer.filters
    OH, OW, _ = layer.output_shape
    rows, inner = OH * OW, KH * KW * C
    numbers, seconds = _product(rows, inner, K, inner * K, _activation(layer) + 3 * rows * K + _padded(layer))
    workers = os.cpu_count() or 1
    span = ((OW - 1) * layer.strides[1] + KW) * C
    algorithm = layer.algorithm
    if algorithm == "naive":
        return numbers, seconds + rows * K * (TAP + ELEMENT * inner)
    if algorithm == "im2col":
        columns = rows * inner
        return numbers + max(columns, workers * OW * inner), seconds + KH * KW * TAP + 2 * ELEMENT * columns
    bands = max(rows * KW * C, workers * (KH + layer.strides[0]) * span) + 2 * rows * K
    seconds += KH * (TAP + 2 * ELEMENT * rows * KW * C)
    if algorithm == "row_windows" or not serves(layer.kernel_size, layer.strides):
        return numbers + bands, seconds
    transformed = _transformed(math.prod(tile_count((OH, OW))), C, K, workers)
    return numbers + max(bands, transformed), seconds + ELEMENT * transformed


def _grouped(layer: Any) -> tuple:
    """Tap by tap: a copy of the tap, and its product beside the sum; a group has its own matrix product."""
    (KH, KW), C, K, groups = layer.kernel_size, layer.input_shape[2], layer.filters, layer.groups
    OH, OW, _ = layer.output_shape
    rows, taps = OH * OW, KH * KW
    numbers, seconds = _product(rows, C // groups, K // groups, C * K // groups, _activation(layer) + _padded(layer))
    passes = ELEMENT * rows * (C + 3 * K) + TAP * (1 + groups)
    return numbers + rows * (C + 4 * K), taps * (groups * seconds + passes) + ELEMENT * _padded(layer)


def _depthwise(layer: Any) -> tuple:
    """Tap by tap, number by number: a product beside the sum. A separable one also has a matrix product."""
    taps, C, K = math.prod(layer.kernel_size), layer.input_shape[2], layer.filters
    rows, between = math.prod(layer.output_shape[:2]), C * layer.depth_multiplier
    numbers = _padded(layer) + rows * (3 * between + K) + _activation(layer)
    seconds = taps * (TAP + 4 * ELEMENT * rows * between) + ELEMENT * _padded(layer)
    if isinstance(layer, layers.SeparableConv2D):
        more, product = _product(rows, between, K, between * K, 2 * rows * K)
        return numbers + more, seconds + product
    return numbers, seconds


def _transposed(layer: Any) -> tuple:
    """The columns that are added up into the output, the larger map with its padding, and a product for them."""
    (KH, KW), C, K = layer.kernel_size, layer.input_shape[2], layer.filters
    (OH, OW, _), rows = layer.output_shape, math.prod(layer.input_shape[:2])
    (top, bottom), (left, right) = layer.pixels
    padded, columns = (OH + top + bottom) * (OW + left + right) * K, rows * KH * KW * K
    numbers, seconds = _product(rows, C, KH * KW * K, C * KH * KW * K, _activation(layer) + 2 * padded)
    if layer.strides == (1, 1) and layer.plain and layer.algorithm != "im2col":
        full = padded // K  # pixels of a convolution of x, padded by the whole window
        more, product = _product(full, KH * KW * C, K, KH * KW * C * K, full * (KW * C + 3 * K))
        numbers, seconds = numbers + more, seconds + product + KH * (TAP + 2 * ELEMENT * full * KW * C)
    if layer.algorithm == "naive":
        seconds += rows * C * (TAP + 2 * ELEMENT * KH * KW * K)
    if layer.algorithm == "winograd" or (layer.algorithm == "auto" and serves(layer.kernel_size, layer.strides)):
        numbers += _transformed(math.prod(tile_count((OH, OW))), C, K, os.cpu_count() or 1)
    return numbers + 2 * columns, seconds + KH * KW * TAP + ELEMENT * (4 * columns + 3 * padded)


def _resized(layer: Any) -> tuple:
    """Rows first, then columns: two matrix products, the second for each row of each image by itself."""
    (H, W, C), (OH, OW, _) = layer.input_shape, layer.output_shape
    if isinstance(layer, layers.UpSampling2D) and layer.interpolation == "nearest":
        return _copied(layer)
    between, matrices = OH * W * C, OH * H + OW * W
    multiplied = 2 * (between * H + OH * OW * C * W)  # products of few columns
    return between + 3 * matrices + OH * OW * C, PRODUCT * multiplied + OH * TAP + 8 * ELEMENT * matrices


def _merging(layer: Any) -> tuple:
    """A pass over the output for each input, and the sum so far."""
    outputs = math.prod(layer.output_shape)
    return 3 * outputs, 2 * ELEMENT * outputs * len(layer.input_shape)


def _transformed(tiles: int, C: int, K: int, workers: int) -> int:
    """Winograd's arrays: the definition's two copies of the patches, V and M; or the twin's U and, for few tiles, V."""
    points, filled, room = PATCH * PATCH, K + -K % LANES, C + -C % LANES
    few = points * tiles * (room + workers * min(filled, 4 * LANES)) if 2 * tiles <= filled else 0
    return max(points * tiles * max(2 * C, C + K, 2 * K), few) + (points + 9) * C * filled


def _padded(layer: Any) -> int:
    (top, bottom), (left, right) = layer.pixels
    H, W, C = layer.input_shape
    return (H + top + bottom) * (W + left + right) * C


RULES: dict[type, Any] = {
    layers.Conv2D: _convolution,
    layers.Dense: _dense,
    layers.MaxPool2D: _pooling,
    layers.AveragePool2D: _pooling,
    layers.ZeroPad2D: _copied,
    layers.Flatten: _copied,
    layers.Dropout: _copied,
    layers.GlobalAveragePool2D: _copied,
    layers.GlobalMaxPool2D: _copied,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _depthwise,
    layers.Conv2DTranspose: _transposed,
    layers.UpSampling2D: _resized,
    layers.Resizing: _resized,
    layers.Cropping2D: _copied,
    layers.Reshape: _copied,
    layers.Permute: _copied,
    layers.Add: _merging,
    layers.Subtract: _merging,
    layers.Multiply: _merging,
    layers.Average: _merging,
    layers.Maximum: _merging,
    layers.Concatenate: _merging,
}
