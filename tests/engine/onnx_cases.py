"""ONNX's own test cases for the operators that the engine has: which of them it runs, and why not the others.

    python tests/engine/onnx_cases.py        prints the table

The cases come out of the `onnx` package: for each a node with its attributes, the inputs and the right outputs. ONNX
keeps images as (N, C, H, W) and kernels as (K, C, KH, KW); here the channels go last, so arrays are transposed on the
way in and out. Weights are put into a layer's parameters, attributes become the layer's arguments.
"""

import importlib

import numpy as np

from minitorch_cnn import layers
from minitorch_cnn.engine.convolution.geometry import resolve_padding

# operator: the module of onnx.backend.test.case.node that has its cases
OPERATORS = {
    "Conv": "conv",
    "MaxPool": "maxpool",
    "AveragePool": "averagepool",
    "GlobalAveragePool": "globalaveragepool",
    "Gemm": "gemm",
    "BatchNormalization": "batch_normalization",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "Flatten": "flatten",
    "ConvTranspose": "convtranspose",
    "GlobalMaxPool": "globalmaxpool",
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Max": "max",
    "Mean": "mean",
    "Concat": "concat",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "HardSwish": "hardswish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "LeakyRelu": "leakyrelu",
    "Exp": "exp",
    "PRelu": "prelu",
    "Swish": "swish",
}
MERGES = {"Add": layers.Add, "Sub": layers.Subtract, "Mul": layers.Multiply, "Max": layers.Maximum,
          "Mean": layers.Average}  # fmt: skip
ACTIVATIONS = {
    "Elu": lambda attributes: layers.ELU(attributes.get("alpha", 1.0)),
    "LeakyRelu": lambda attributes: layers.LeakyReLU(attributes.get("alpha", 0.01)),
    "Selu": lambda attributes: fixed("selu", attributes),
    "Gelu": lambda attributes: layers.Activation("gelu_tanh" if attributes.get("approximate") == b"tanh" else "gelu"),
    "HardSwish": lambda attributes: fixed("hard_silu", attributes),
    "Softplus": lambda attributes: fixed("softplus", attributes),
    "Softsign": lambda attributes: fixed("softsign", attributes),
    "Exp": lambda attributes: fixed("exponential", attributes),
    "Swish": lambda attributes: fixed("silu", {name: value for name, value in attributes.items() if value != 1}),
}

CEIL = "ceil_mode: output sizes are rounded down here, as in Keras"
DILATED = "dilations: the windows of pools have no gaps here, as in Keras"
ONE_D = "1-D images; all layers here are 2-D"
THREE_D = "3-D images; all layers here are 2-D"
INTEGER = "uint8: layers compute in float32 and float64"
FLATTEN = "Flatten keeps the batch axis and no other, which is axis=1"

NUMBERS = "this activation has no numbers to set here, as in Keras"
ONE_INPUT = "a merge of one input is no layer here"
OUTPUT_SHAPE = "output_shape: sizes follow from output_padding here, as in Keras"
GROUPS = "groups of a transposed convolution, which Keras does not have"

WRITTEN_FOR = "1.23"  # the onnx whose cases the table below names
OUT_OF_SCOPE = {
    "test_maxpool_2d_uint8": INTEGER,
    "test_maxpool_1d_default": ONE_D,
    "test_maxpool_3d_default": THREE_D,
    "test_maxpool_2d_ceil": CEIL,
    "test_maxpool_2d_ceil_output_size_reduce_by_one": CEIL,
    "test_maxpool_2d_dilations": DILATED,
    "test_maxpool_3d_dilations": THREE_D,
    "test_maxpool_3d_dilations_use_ref_impl": THREE_D,
    "test_maxpool_3d_dilations_use_ref_impl_large": THREE_D,
    "test_averagepool_1d_default": ONE_D,
    "test_averagepool_3d_default": THREE_D,
    "test_averagepool_2d_ceil": CEIL,
    "test_averagepool_2d_ceil_last_window_starts_on_pad": CEIL,
    "test_averagepool_2d_dilations": DILATED,
    "test_averagepool_3d_dilations_small": THREE_D,
    "test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True": THREE_D,
    "test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False": THREE_D,
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True": THREE_D,
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False": THREE_D,
    "test_gemm_default_matrix_bias": "a bias for each row of the batch; Dense has one for each unit",
    "test_flatten_axis0": FLATTEN,
    "test_flatten_axis2": FLATTEN,
    "test_flatten_axis3": FLATTEN,
    "test_flatten_negative_axis4": FLATTEN,
    "test_flatten_negative_axis2": FLATTEN,
    "test_flatten_negative_axis1": FLATTEN,
    "test_convtranspose_1d": ONE_D,
    "test_convtranspose_3d": THREE_D,
    "test_convtranspose_output_shape": OUTPUT_SHAPE,
    "test_convtranspose_kernel_shape": OUTPUT_SHAPE,
    "test_convtranspose_group_2": GROUPS,
    "test_convtranspose_group_2_image_3": GROUPS,
    "test_max_one_input": ONE_INPUT,
    "test_mean_one_input": ONE_INPUT,
    "test_selu_example": NUMBERS,
    "test_selu_example_expanded_ver18": NUMBERS,
    "test_selu": NUMBERS,
    "test_selu_expanded_ver18": NUMBERS,
}


def collect():
    """{name: (operator, attributes, inputs, outputs)} of every case of `OPERATORS`.

    A case called `..._expanded` spells the operator of the case before it out in simpler ones; inputs and outputs are
    the same, so it is listed under the same operator.
    """
    from onnx import helper
    from onnx.backend.test.case import node

    for module in OPERATORS.values():  # importing a module makes its cases
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    cases = {}
    for case in node._NodeTestCases:
        written = case.model.graph.node
        original = cases.get(case.name.partition("_expanded")[0])
        if original is not None:
            operator, attributes = original[:2]
        elif len(written) == 1 and written[0].op_type in OPERATORS:
            operator = written[0].op_type
            attributes = {a.name: helper.get_attribute_value(a) for a in written[0].attribute}
        else:
            continue
        ((inputs, outputs),) = case.data_sets
        cases[case.name] = (operator, attributes, inputs, outputs)
    return cases


def run(operator, attributes, inputs):
    """What the engine's layer computes for a case: the list of its outputs, in ONNX's layout."""
    if operator in MERGES:
        return _merge(MERGES[operator](), inputs)
    if operator in ACTIVATIONS:
        return [ACTIVATIONS[operator](attributes).forward(inputs[0])]
    return globals()[f"_{operator.lower()}"](attributes, *inputs)


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def channels_first(y):
    return np.moveaxis(y, -1, 1)


def with_weights(layer, x, **weights):
    """The layer, built for x and holding `weights`."""
    layer.build(x.shape[1:])
    layer.initialize(np.random.default_rng(0), x.dtype)
    assert layer.parameters.keys() == weights.keys()
    for name, array in weights.items():
        layer.parameters[name] = array
    return layer


def window_of(attributes, x):
    """(window, strides, padding) of a node whose input is x (N, H, W, C)."""
    left_out = attributes.keys() - {"kernel_shape", "strides", "pads", "auto_pad", "count_include_pad", "storage_order"}
    if left_out:
        raise NotImplementedError(f"attributes {sorted(left_out)}")
    window = tuple(attributes["kernel_shape"])
    strides = tuple(attributes.get("strides", (1, 1)))
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    padding = ((top, bottom), (left, right))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto == "SAME_UPPER":
        padding = "same"
    elif auto == "SAME_LOWER":  # the odd pixel goes top left
        padding = tuple((after, before) for before, after in resolve_padding("same", x.shape[1:3], window, strides))
    return window, strides, padding


def _conv(attributes, x, kernel, bias=None):
    x = channels_last(x)
    window, strides, padding = window_of(attributes, x)
    layer = layers.Conv2D(len(kernel), window, strides, padding, use_bias=bias is not None)
    weights = {"kernel": kernel.transpose(2, 3, 1, 0)} | ({} if bias is None else {"bias": bias})
    return [channels_first(with_weights(layer, x, **weights).forward(x))]


def _maxpool(attributes, x):
    x = channels_last(x)
    _, H, W, C = x.shape
    layer = layers.MaxPool2D(*window_of(attributes, x))
    y = layer.forward(x)
    (winner,) = layer.cache
    n, i, j, c = np.indices(y.shape)
    row = i * layer.strides[0] - layer.pixels[0][0] + winner // layer.pool_size[1]
    column = j * layer.strides[1] - layer.pixels[1][0] + winner % layer.pool_size[1]
    place = row + H * column if attributes.get("storage_order") else W * row + column
    return [channels_first(y), channels_first((n * C + c) * H * W + place)]


def _averagepool(attributes, x):
    x = channels_last(x)
    window, strides, padding = window_of(attributes, x)
    if attributes.get("count_include_pad"):
        x, padding = layers.ZeroPad2D(padding).forward(x), "valid"
    return [channels_first(layers.AveragePool2D(window, strides, padding).forward(x))]


def _globalaveragepool(attributes, x):
    return [layers.GlobalAveragePool2D().forward(channels_last(x))[:, :, None, None]]


def _gemm(attributes, a, b, c=None):
    """alpha A' B' + beta C: the factors and the transpose of B go into the weights."""
    x = np.ascontiguousarray(a.T) if attributes.get("transA") else a
    kernel = np.float32(attributes.get("alpha", 1)) * (b.T if attributes.get("transB") else b)
    layer = layers.Dense(kernel.shape[1], use_bias=c is not None)
    weights = {"kernel": kernel}
    if c is not None:
        weights["bias"] = np.broadcast_to(np.float32(attributes.get("beta", 1)) * c, (1, kernel.shape[1]))[0]
    return [with_weights(layer, x, **weights).forward(x)]


def _batchnormalization(attributes, x, gamma, beta, mean, variance):
    training = bool(attributes.get("training_mode", 0))
    layer = layers.BatchNorm(attributes.get("momentum", 0.9), attributes.get("epsilon", 1e-5))
    x = channels_last(x)
    with_weights(layer, x, gamma=gamma, beta=beta, moving_mean=mean, moving_variance=variance)
    y = channels_first(layer.forward(x, training))
    return [y, layer.parameters["moving_mean"], layer.parameters["moving_variance"]] if training else [y]


def _relu(attributes, x):
    return [layers.ReLU().forward(x)]


def _sigmoid(attributes, x):
    return [layers.Sigmoid().forward(x)]


def _tanh(attributes, x):
    return [layers.Tanh().forward(x)]


def _softmax(attributes, x):
    axis = attributes.get("axis", -1)
    return [np.moveaxis(layers.Softmax().forward(np.moveaxis(x, axis, -1)), -1, axis)]


def fixed(name, attributes):
    """The activation of that name, which has no numbers to set."""
    if attributes:
        raise NotImplementedError(f"attributes {sorted(attributes)}")
    return layers.Activation(name)


def _merge(layer, inputs):
    """ONNX's arrays have no batch axis; those of fewer axes get axes of length 1 in front."""
    axes = max(x.ndim for x in inputs)
    return [layer.forward([x.reshape((1,) * (1 + axes - x.ndim) + x.shape) for x in inputs])[0]]


def _concat(attributes, *inputs):
    axis = attributes["axis"]
    layer = layers.Concatenate(axis if axis < 0 else axis + 1)
    return [layer.forward([x[None] for x in inputs])[0]]


def _globalmaxpool(attributes, x):
    return [channels_first(layers.GlobalMaxPool2D(keepdims=True).forward(channels_last(x)))]


def _prelu(attributes, x, slope):
    alpha = np.broadcast_to(slope, x.shape)
    return [with_weights(layers.PReLU(), x[None], alpha=alpha).forward(x[None])[0]]


def _convtranspose(attributes, x, kernel):
    x = channels_last(x)
    left_out = attributes.keys() - {"kernel_shape", "strides", "pads", "auto_pad", "output_padding", "dilations"}
    if left_out or x.ndim != 4:
        raise NotImplementedError(f"attributes {sorted(left_out)}, {x.ndim - 2}-D images")
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    padding = "same" if attributes.get("auto_pad") == b"SAME_UPPER" else ((top, bottom), (left, right))
    layer = layers.Conv2DTranspose(
        kernel.shape[1], kernel.shape[2:], tuple(attributes.get("strides", (1, 1))), padding, use_bias=False,
        output_padding=attributes.get("output_padding"), dilation_rate=tuple(attributes.get("dilations", (1, 1))),
    )  # fmt: skip
    return [channels_first(with_weights(layer, x, kernel=kernel.transpose(2, 3, 1, 0)).forward(x))]


def _flatten(attributes, x):
    if attributes.get("axis", 1) % x.ndim != 1:
        raise NotImplementedError(f"axis {attributes['axis']}")
    return [layers.Flatten().forward(x)]


def table():
    """One line a case, and the counts."""
    cases = collect()
    lines = []
    for name, (operator, *_) in cases.items():
        lines.append(f"{operator:20} {name:80} {OUT_OF_SCOPE.get(name, 'run')}")
    left_out = sum(name in OUT_OF_SCOPE for name in cases)
    lines.append(f"{len(cases)} cases: {len(cases) - left_out} run, {left_out} out of scope")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
