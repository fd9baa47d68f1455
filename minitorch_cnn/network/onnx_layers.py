"""What each layer becomes in an ONNX file: a function for each kind, which adds nodes to the graph.

A function gets the graph (`onnx_export.py`), the layer and the names of what it reads, and returns the name of what it
makes. Feature maps are (N, C, H, W) here, all other values as in our layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.arrays import on_host
from minitorch_cnn.engine.layers.scaling import TINY
from minitorch_cnn.engine.more_activations import GELU_CUBE, ROOT_2_OVER_PI, BentReLU
from minitorch_cnn.errors import ArgumentError

Graph: TypeAlias = Any  # `onnx_export.Graph`
AXES = {1: 2, 2: 3, 3: 1}  # of a feature map: ours to ONNX's


def activated(graph: Graph, layer: Any, value: str) -> str:
    """The value after the activation that the layer ends in."""
    name = layer.activation.name
    if name == "elu":
        return graph.add("Elu", value, name=layer.name, alpha=layer.activation.alpha)
    if name == "linear":
        return value
    if name == "softmax":
        return graph.add("Softmax", value, name=layer.name, axis=1 if len(layer.output_shape) == 3 else -1)
    if name in BY_NAME:
        kind, settings = BY_NAME[name]
        return graph.add(kind, value, name=layer.name, **settings)
    if name == "silu":
        return graph.add("Mul", value, graph.add("Sigmoid", value, name=layer.name), name=layer.name)
    if name == "gelu":
        scaled = graph.add("Mul", value, graph.constant("root", np.sqrt(0.5)), name=layer.name)
        half = graph.constant("half", 0.5)
        share = graph.add("Mul", graph.add("Erf", scaled, name=layer.name), half, name=layer.name)
        return graph.add("Mul", value, graph.add("Add", share, half, name=layer.name), name=layer.name)
    if name == "gelu_tanh":
        return gelu_tanh(graph, layer, value)
    if isinstance(layer.activation, BentReLU):
        return bent(graph, layer, value)
    raise ArgumentError(f"ONNX: {layer.name}: no counterpart for the activation {name}")


def gelu_tanh(graph: Graph, layer: Any, value: str) -> str:
    """x * (1 + tanh(u)) / 2 with u = sqrt(2 / pi) * x * (1 + 0.044715 * x * x)."""

    def add(kind: str, *inputs: str) -> str:
        return graph.add(kind, *inputs, name=layer.name)

    one, half = graph.constant("one", 1.0), graph.constant("half", 0.5)
    root, cube = graph.constant("root_2_over_pi", ROOT_2_OVER_PI), graph.constant("cube", GELU_CUBE)
    inner = add("Add", one, add("Mul", cube, add("Mul", value, value)))
    u = add("Mul", add("Mul", value, root), inner)
    return add("Mul", value, add("Mul", half, add("Add", one, add("Tanh", u))))


def bent(graph: Graph, layer: Any, value: str) -> str:
    """slope * min(x - threshold, 0), plus x cut off at `largest` where x is not below the threshold."""
    f, name = layer.activation, layer.name
    low = graph.constant(f"{name}/threshold", f.threshold)
    below = graph.add("Sub", graph.add("Min", value, low, name=name), low, name=name)
    below = graph.add("Mul", below, graph.constant(f"{name}/slope", f.slope), name=name)
    above = graph.add("Min", value, graph.constant(f"{name}/largest", f.largest), name=name)
    inside = graph.add("GreaterOrEqual", value, low, name=name)
    return graph.add("Where", inside, above, below, name=name)


BY_NAME: dict[str, tuple[str, dict]] = {  # our activation: (ONNX's operator, its settings)
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "exponential": ("Exp", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hard_silu": ("HardSwish", {}),
}


def pads(pixels: tuple) -> list[int]:
    """Our padding ((top, bottom), (left, right)) as ONNX's [top, left, bottom, right]."""
    (top, bottom), (left, right) = pixels
    return [top, left, bottom, right]


def _conv(graph: Graph, layer: Any, x: str) -> str:
    inputs = [x, graph.weight(layer, "kernel", lambda kernel: kernel.transpose(3, 2, 0, 1))]
    inputs += [graph.weight(layer, "bias")] if layer.use_bias else []
    settings = {"strides": layer.strides, "pads": pads(layer.pixels), "kernel_shape": layer.kernel_size}
    settings |= {"dilations": getattr(layer, "dilation_rate", (1, 1)), "group": getattr(layer, "groups", 1)}
    return activated(graph, layer, graph.add("Conv", *inputs, name=layer.name, **settings))


def _dense(graph: Graph, layer: Any, x: str) -> str:
    y = graph.add("MatMul", x, graph.weight(layer, "kernel"), name=layer.name)
    y = graph.add("Add", y, graph.weight(layer, "bias"), name=layer.name) if layer.use_bias else y
    return activated(graph, layer, y)


def _pool(graph: Graph, layer: Any, x: str) -> str:
    settings = {"kernel_shape": layer.pool_size, "strides": layer.strides, "pads": pads(layer.pixels)}
    if type(layer).__name__ == "MaxPool2D":
        return graph.add("MaxPool", x, name=layer.name, **settings)
    return graph.add("AveragePool", x, name=layer.name, count_include_pad=0, **settings)


def _mean(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("ReduceMean", x, name=layer.name, axes=[2, 3], keepdims=int(getattr(layer, "keepdims", False)))


def _batch_norm(graph: Graph, layer: Any, x: str) -> str:
    C = layer.input_shape[-1]
    gamma = graph.weight(layer, "gamma") if layer.scale else graph.constant(f"{layer.name}/gamma", np.ones(C))
    beta = graph.weight(layer, "beta") if layer.center else graph.constant(f"{layer.name}/beta", np.zeros(C))
    moving = [graph.weight(layer, name) for name in ("moving_mean", "moving_variance")]
    axes = len(layer.input_shape) + 1
    apart = axes not in (2, 4)  # ONNX takes axis 1 for the channels, which are last in all but vectors and feature maps
    x = graph.add("Transpose", x, name=layer.name, perm=[0, axes - 1, *range(1, axes - 1)]) if apart else x
    y = graph.add("BatchNormalization", x, gamma, beta, *moving, name=layer.name, epsilon=layer.epsilon)
    return graph.add("Transpose", y, name=layer.name, perm=[0, *range(2, axes), 1]) if apart else y


def _flatten(graph: Graph, layer: Any, x: str) -> str:
    x = graph.back(x, layer.name) if len(layer.input_shape) == 3 else x
    return graph.add("Flatten", x, name=layer.name, axis=1)


def _pad(graph: Graph, layer: Any, x: str) -> str:
    top, left, bottom, right = pads(layer.padding)
    width = graph.constant(f"{layer.name}/pads", [0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.add("Pad", x, width, name=layer.name)


def _merge(kind: str) -> Callable:
    return lambda graph, layer, *x: graph.add(kind, *x, name=layer.name)


def _folded(kind: str) -> Callable:
    """For operators of two inputs: those of a list are taken one after the other."""

    def write(graph: Graph, layer: Any, *x: str) -> str:
        y = x[0]
        for each in x[1:]:
            y = graph.add(kind, y, each, name=layer.name)
        return y

    return write


def _concatenate(graph: Graph, layer: Any, *x: str) -> str:
    axes = len(layer.output_shape)
    axis = layer.axis if layer.axis > 0 else axes + 1 + layer.axis
    return graph.add("Concat", *x, name=layer.name, axis=AXES[axis] if axes == 3 else axis)


def _filtered(graph: Graph, layer: Any, x: str, name: str, *bias: str) -> str:
    """A depthwise convolution: its kernel (KH, KW, C, M) is (C*M, 1, KH, KW) in ONNX."""
    C = layer.input_shape[2]
    kernel = graph.weight(layer, name, lambda kernel: kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2]))
    settings = {"strides": layer.strides, "pads": pads(layer.pixels), "dilations": layer.dilation_rate, "group": C}
    return graph.add("Conv", x, kernel, *bias, name=layer.name, kernel_shape=layer.kernel_size, **settings)


def _depthwise(graph: Graph, layer: Any, x: str) -> str:
    bias = [graph.weight(layer, "bias")] if layer.use_bias else []
    return activated(graph, layer, _filtered(graph, layer, x, "kernel", *bias))


def _separable(graph: Graph, layer: Any, x: str) -> str:
    inputs = [_filtered(graph, layer, x, "depthwise_kernel")]
    inputs += [graph.weight(layer, "pointwise_kernel", lambda kernel: kernel.transpose(3, 2, 0, 1))]
    inputs += [graph.weight(layer, "bias")] if layer.use_bias else []
    return activated(graph, layer, graph.add("Conv", *inputs, name=layer.name))


def _transposed(graph: Graph, layer: Any, x: str) -> str:
    """ONNX's kernel is (C, K, KH, KW); what "valid" adds to the size is its output_padding."""
    inputs = [x, graph.weight(layer, "kernel", lambda kernel: kernel.transpose(3, 2, 0, 1))]
    inputs += [graph.weight(layer, "bias")] if layer.use_bias else []
    settings = {"strides": layer.strides, "pads": pads(layer.pixels), "kernel_shape": layer.kernel_size}
    sizes = zip(layer.input_shape, layer.output_shape, layer.strides, layer.reach, layer.pixels)
    more = [out - ((size - 1) * step + reach - sum(cut)) for size, out, step, reach, cut in sizes]
    settings |= {"dilations": layer.dilation_rate, "output_padding": more}
    return activated(graph, layer, graph.add("ConvTranspose", *inputs, name=layer.name, **settings))


def _largest(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("ReduceMax", x, name=layer.name, axes=[2, 3], keepdims=int(layer.keepdims))


def _resize(graph: Graph, layer: Any, x: str) -> str:
    (H, W, _), (OH, OW, _) = layer.input_shape, layer.output_shape
    # ONNX rounds the new size down, so the factors are rounded up.
    rows, columns = (np.nextafter(np.float32(factor), np.float32(np.inf)) for factor in (OH / H, OW / W))
    scales = graph.constant(f"{layer.name}/scales", [1, 1, rows, columns])
    kind = {"nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, "bilinear": {"mode": "linear"}}
    settings = {"coordinate_transformation_mode": "half_pixel", **kind[layer.interpolation]}
    return graph.add("Resize", x, "", scales, name=layer.name, **settings)


def _crop(graph: Graph, layer: Any, x: str) -> str:
    (top, bottom), (left, right) = layer.cropping
    H, W, _ = layer.input_shape
    first, stop, axes = ([top, left], [H - bottom, W - right], [2, 3])
    where = [graph.constant(f"{layer.name}/{name}", values, np.int64)
             for name, values in (("first", first), ("stop", stop), ("axes", axes))]  # fmt: skip
    return graph.add("Slice", x, *where, name=layer.name)


def _in_our_order(write: Callable) -> Callable:
    """For layers that need the channels last: `write` sees x so, and so does its result come."""

    def wrapped(graph: Graph, layer: Any, x: str) -> str:
        x = graph.back(x, layer.name) if len(layer.input_shape) == 3 else x
        y = write(graph, layer, x)
        return graph.forward(y, layer.name) if len(layer.output_shape) == 3 else y

    return wrapped


def _reshape(graph: Graph, layer: Any, x: str) -> str:
    shape = graph.constant(f"{layer.name}/shape", [0, *layer.output_shape], np.int64)
    return graph.add("Reshape", x, shape, name=layer.name)


def _permute(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("Transpose", x, name=layer.name, perm=[0, *layer.dims])


def _rescale(graph: Graph, layer: Any, x: str) -> str:
    scale, offset = (graph.constant(f"{layer.name}/{each}", getattr(layer, each)) for each in ("scale", "offset"))
    return graph.add("Add", graph.add("Mul", x, scale, name=layer.name), offset, name=layer.name)


def _normalize(graph: Graph, layer: Any, x: str) -> str:
    mean, variance = (on_host(layer.parameters[name]) for name in ("mean", "variance"))
    deviation = graph.constant(f"{layer.name}/deviation", np.maximum(np.sqrt(variance), TINY))
    centred = graph.add("Sub", x, graph.constant(f"{layer.name}/mean", mean), name=layer.name)
    return graph.add("Div", centred, deviation, name=layer.name)


def _layer_norm(graph: Graph, layer: Any, x: str) -> str:
    C = layer.input_shape[-1]
    gamma = graph.weight(layer, "gamma") if layer.scale else graph.constant(f"{layer.name}/gamma", np.ones(C))
    beta = graph.weight(layer, "beta") if layer.center else graph.constant(f"{layer.name}/beta", np.zeros(C))
    return graph.add("LayerNormalization", x, gamma, beta, name=layer.name, axis=-1, epsilon=layer.epsilon)


def _scale(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("Mul", x, graph.weight(layer, "gamma"), name=layer.name)


def _prelu(graph: Graph, layer: Any, x: str) -> str:
    return graph.add("PRelu", x, graph.weight(layer, "alpha"), name=layer.name)


WRITERS: dict[str, Callable] = {
    "Conv2D": _conv,
    "Dense": _dense,
    "MaxPool2D": _pool,
    "AveragePool2D": _pool,
    "GlobalAveragePool2D": _mean,
    "BatchNorm": _batch_norm,
    "Flatten": _flatten,
    "Dropout": lambda graph, layer, x: x,
    "ZeroPad2D": _pad,
    "ReLU": activated,
    "Sigmoid": activated,
    "Tanh": activated,
    "Softmax": activated,
    "Activation": activated,
    "ELU": activated,
    "LeakyReLU": activated,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed,
    "GlobalMaxPool2D": _largest,
    "Resizing": _resize,
    "UpSampling2D": _resize,
    "Cropping2D": _crop,
    "Reshape": _in_our_order(_reshape),
    "Permute": _in_our_order(_permute),
    "Rescaling": _in_our_order(_rescale),
    "Normalization": _in_our_order(_normalize),
    "LayerNorm": _in_our_order(_layer_norm),
    "LayerScale": _in_our_order(_scale),
    "PReLU": _in_our_order(_prelu),
    "Add": _folded("Add"),
    "Subtract": _folded("Sub"),
    "Multiply": _folded("Mul"),
    "Maximum": _merge("Max"),
    "Average": _merge("Mean"),
    "Concatenate": _concatenate,
}
