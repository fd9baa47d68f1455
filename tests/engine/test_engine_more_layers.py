"""The layers of modern networks: against real Keras's recorded results, PyTorch, differences, and by hand."""

import json

import keras_layer_cases
import numpy as np
import pytest
from engine_helpers import distinct, normal, one_line, relative_error
from keras_layer_cases import CASES, numbers

import minitorch_cnn as mtc
from minitorch_cnn import activations, layers
from minitorch_cnn.errors import ArgumentError, ShapeError

RECORDED = dict(np.load(keras_layer_cases.FIXTURE))
OURS = {
    "GlobalMaxPooling2D": "GlobalMaxPool2D",
    "GlobalAveragePooling2D": "GlobalAveragePool2D",
    "LayerNormalization": "LayerNorm",
    "ZeroPadding2D": "ZeroPad2D",
}


def made(case, dtype):
    """(our layer with the case's weights, x, dy)."""
    kind, settings, shape = CASES[case]
    layer = getattr(layers, OURS.get(kind, kind))(**settings)
    layer.build(shape)
    layer.initialize(np.random.default_rng(0), dtype)
    x, dy, weights = numbers(case, layer.parameter_shapes(), layer.output_shape)
    layer.load(weights)
    return layer, x.astype(dtype), dy.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_as_in_keras(case, dtype):
    layer, x, dy = made(case, dtype)
    before = x.copy(), dy.copy()
    got = {"y": layer.forward(x), "dx": layer.backward(dy)}
    got |= {f"d{name}": gradient for name, gradient in layer.gradients.items()}
    assert {f"{case}/{name}" for name in got} == {name for name in RECORDED if name.rpartition("/")[0] == case}
    tolerance = 1e-5 if dtype == "float32" else 1e-6  # Keras resizes in float32
    for name, array in got.items():
        assert array.dtype == dtype, name
        assert relative_error(array, RECORDED[f"{case}/{name}"]) < tolerance, name
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])


@pytest.mark.parametrize("case", CASES)
def test_config_makes_the_same_layer(case):
    layer, x, _ = made(case, "float64")
    config = json.loads(json.dumps(layer.config()))
    again = type(layer)(**config)
    again.build(layer.input_shape)
    again.initialize(np.random.default_rng(0), "float64")
    again.load(dict(layer.parameters))
    assert again.output_shape == layer.output_shape and again.describe() == layer.describe()
    assert json.loads(json.dumps(again.config())) == config
    np.testing.assert_array_equal(again.forward(x), layer.forward(x))


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_differences(case):
    layer, x, _ = made(case, "float64")
    x = distinct(x.shape, 3)
    report = mtc.gradient_check(layer, x + 0.007, most=60)
    assert report.passed, report


@pytest.mark.parametrize("case", CASES)
def test_a_frozen_layer_passes_the_gradient_on(case):
    layer, x, dy = made(case, "float64")
    _, kept = layer.forward_pass(x)
    wanted, _ = layer.backward_pass(dy, kept)
    layer.trainable = False
    _, kept = layer.forward_pass(x)
    dx, gradients = layer.backward_pass(dy, kept)
    assert gradients == {}
    np.testing.assert_array_equal(dx, wanted)


# Convolutions that PyTorch has with more options than Keras.


def in_torch(function, *arrays, **settings):
    """(y, gradients of the arrays for a random dy, dy) of a function of PyTorch, as NumPy arrays."""
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(np.ascontiguousarray(array)).requires_grad_() for array in arrays]
    y = function(*tensors, **settings)
    dy = normal(tuple(y.shape), 9)
    y.backward(torch.from_numpy(dy))
    return y.detach().numpy(), [tensor.grad.numpy() for tensor in tensors], dy


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("strides", [(1, 1), (3, 2)])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_conv2d_as_in_pytorch(groups, dilation, strides, padding):
    torch = pytest.importorskip("torch")
    x, kernel = normal((2, 9, 10, 6), 1), normal((3, 2, 6 // groups, 12), 2)
    layer = layers.Conv2D(12, (3, 2), strides, padding, dilation_rate=dilation, groups=groups)
    layer.build(x.shape[1:])
    layer.initialize(np.random.default_rng(0), "float64")
    layer.load({"kernel": kernel, "bias": normal(12, 3)})
    y, (dx, dkernel, dbias), dy = in_torch(
        torch.nn.functional.conv2d, x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1), normal(12, 3),
        stride=strides, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    assert relative_error(layer.forward(x), y.transpose(0, 2, 3, 1)) < 1e-12
    assert relative_error(layer.backward(dy.transpose(0, 2, 3, 1)), dx.transpose(0, 2, 3, 1)) < 1e-12
    assert relative_error(layer.gradients["kernel"], dkernel.transpose(2, 3, 1, 0)) < 1e-12
    assert relative_error(layer.gradients["bias"], dbias) < 1e-12


@pytest.mark.parametrize("algorithm", ["auto", *mtc.convolution.ALGORITHMS])
@pytest.mark.parametrize(
    "strides, padding, more, dilation",
    [((1, 1), (0, 0), (0, 0), (1, 1)), ((1, 1), (1, 2), (0, 0), (1, 1)), ((2, 3), (1, 0), (1, 2), (1, 1)),
     ((2, 1), (1, 1), (1, 0), (2, 3))],
)  # fmt: skip
def test_transposed_convolution_as_in_pytorch(algorithm, strides, padding, more, dilation):
    torch = pytest.importorskip("torch")
    algorithm = algorithm if dilation == (1, 1) else "auto"
    x, kernel = normal((2, 5, 6, 4), 1), normal((3, 3, 5, 4), 2)
    layer = layers.Conv2DTranspose(
        5, 3, strides, padding, output_padding=more, dilation_rate=dilation, use_bias=False, algorithm=algorithm
    )
    layer.build(x.shape[1:])
    layer.initialize(np.random.default_rng(0), "float64")
    layer.load({"kernel": kernel})
    y, (dx, dkernel), dy = in_torch(
        torch.nn.functional.conv_transpose2d, x.transpose(0, 3, 1, 2), kernel.transpose(3, 2, 0, 1),
        stride=strides, padding=padding, output_padding=more, dilation=dilation,
    )  # fmt: skip
    assert relative_error(layer.forward(x), y.transpose(0, 2, 3, 1)) < 1e-12
    assert relative_error(layer.backward(dy.transpose(0, 2, 3, 1)), dx.transpose(0, 2, 3, 1)) < 1e-12
    assert relative_error(layer.gradients["kernel"], dkernel.transpose(2, 3, 1, 0)) < 1e-12


def test_a_depthwise_convolution_is_one_of_as_many_groups_as_channels():
    x, kernel = normal((2, 7, 6, 3), 1), normal((3, 2, 3, 2), 2)
    depthwise = layers.DepthwiseConv2D((3, 2), 2, depth_multiplier=2, use_bias=False)
    grouped = layers.Conv2D(6, (3, 2), 2, groups=3, use_bias=False)
    for layer, values in ((depthwise, kernel), (grouped, kernel.reshape(3, 2, 1, 6))):
        layer.build(x.shape[1:])
        layer.initialize(np.random.default_rng(0), "float64")
        layer.load({"kernel": values})
    y = depthwise.forward(x)
    assert relative_error(grouped.forward(x), y) < 1e-13
    dy = normal(y.shape, 4)
    assert relative_error(grouped.backward(dy), depthwise.backward(dy)) < 1e-13
    assert relative_error(grouped.gradients["kernel"].reshape(kernel.shape), depthwise.gradients["kernel"]) < 1e-13


# Activations.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", activations.ACTIVATIONS)
def test_no_score_overflows_an_activation(name, dtype):
    if name in ("exponential", "softmax"):
        return  # exp(1e4) is infinite; softmax has its own test
    activation, x = activations.get(name), np.array([[-1e4, -300, -1, 0, 2, 300, 1e4]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = activation.forward(x)
        dx = activation.backward(np.ones_like(x), x if getattr(activation, "from_scores", False) else y)
    assert y.dtype == dx.dtype == dtype and np.isfinite(y).all() and np.isfinite(dx).all()


def test_gelu_has_all_digits_of_float64():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-9, 9, 4001)
    got = activations.get("gelu").forward(x)
    assert abs(got - x * special.ndtr(x)).max() < 2e-14


def test_gelu_by_tanh_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x = np.linspace(-7, 9, 1237)
    y, (dx,), dy = in_torch(torch.nn.functional.gelu, x, approximate="tanh")
    activation = activations.get("gelu_tanh")
    np.testing.assert_allclose(activation.forward(x), y, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(activation.backward(dy, x), dx, rtol=1e-11, atol=1e-13)
    assert 1e-5 < abs(y - activations.get("gelu").forward(x)).max() < 5e-4  # an approximation


# What does not fit.


@pytest.mark.parametrize(
    "make, shape, words",
    [
        (lambda: layers.Conv2D(4, 3, groups=3), None, ("conv2d: expected", "groups", "4")),
        (lambda: layers.Conv2D(4, 3, groups=2, algorithm="im2col"), None, ("conv2d: algorithm: expected", "'im2col'")),
        (lambda: layers.Conv2DTranspose(4, 3, dilation_rate=(1, 2), algorithm="naive"), None,
         ("conv2d_transpose: algorithm: expected", "'naive'")),
        (lambda: layers.Conv2D(4, 3, groups=2), (5, 5, 3), ("conv2d: expected", "2 equal groups", "3")),
        (lambda: layers.Conv2D(4, 3, dilation_rate=3), (6, 9, 3), ("conv2d: a window of 7x7 does not fit",)),
        (lambda: layers.Conv2D(4, 3, kernel_initializer="he"), None, ("conv2d: initializer: expected", "'he'")),
        (lambda: layers.Conv2DTranspose(4, 3, 2, output_padding=3), (5, 4, 2), ("expected padding that fits",)),
        (lambda: layers.Resizing(0, 4), None, ("resizing: size: expected",)),
        (lambda: layers.UpSampling2D(2, "bicubic"), None, ("up_sampling2d: interpolation: expected", "'bicubic'")),
        (lambda: layers.Cropping2D(2), (4, 9, 1), ("cropping2d: expected an input larger",)),
        (lambda: layers.Reshape((3, -1, -1)), None, ("reshape: target_shape: expected", "-1")),
        (lambda: layers.Reshape((7, -1)), (4, 4, 3), ("reshape: expected 48 numbers",)),
        (lambda: layers.Permute((1, 3)), None, ("permute: dims: expected",)),
        (lambda: layers.Permute((2, 1)), (4, 4, 3), ("permute: expected an input of 2 axes",)),
        (lambda: layers.Rescaling("two"), None, ("rescaling: scale: expected",)),
        (lambda: layers.Rescaling([1.0, 2.0]), (4, 4, 3), ("rescaling: scale: expected 3 numbers, got 2",)),
        (lambda: layers.LayerNorm(epsilon=0), None, ("layer_norm: epsilon: expected", "0")),
        (lambda: layers.PReLU([0]), None, ("shared_axes: expected",)),
        (lambda: layers.ReLU(max_value=-1), None, ("relu: max_value: expected", "-1")),
        (lambda: layers.Activation("mish"), None, ("activation: expected one of", "'mish'")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(make, shape, words):
    with pytest.raises((ArgumentError, ShapeError)) as error:
        layer = make()
        assert shape is not None
        layer.build(shape)
    assert one_line(error, *words), str(error.value)


# Dropout of whole axes.


@pytest.mark.parametrize("noise", [(None, 1, 1, 1), (None, 1, 1, None), (1, None, None, 1)])
def test_dropout_with_one_decision_for_an_axis(noise):
    layer, x = layers.Dropout(0.4, noise_shape=noise), np.abs(normal((40, 5, 4, 30), 1)) + 1
    y = layer.forward(x, training=True)
    factor = (y / x).round(9)
    assert set(np.unique(factor)) == {0, round(1 / 0.6, 9)}
    for axis, size in enumerate(noise):
        if size == 1:
            assert (factor.max(axis=axis) == factor.min(axis=axis)).all()
    kept = (factor.max(axis=tuple(axis for axis, size in enumerate(noise) if size == 1)) > 0).mean()
    assert abs(kept - 0.6) < 0.2
    dy = normal(x.shape, 2)
    np.testing.assert_allclose(layer.backward(dy), dy * factor, rtol=1e-8)
    assert layer.forward(x) is x


# Initial weights.

FANS = [((64, 200), 64, 200), ((3, 5, 20, 60), 300, 900)]


@pytest.mark.parametrize("shape, fan_in, fan_out", FANS)
@pytest.mark.parametrize("name", ["glorot", "he", "lecun"])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_the_variance_of_scaled_initial_weights(name, kind, shape, fan_in, fan_out):
    values = initial(f"{name}_{kind}", shape)
    variance = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}[name]
    assert values.var() == pytest.approx(variance, rel=0.05) and abs(values.mean()) < 0.05 * values.std()
    edge = np.sqrt(3 * variance) if kind == "uniform" else 2 * np.sqrt(variance) / 0.8796256610342398
    assert 0.95 * edge < abs(values).max() <= edge


@pytest.mark.parametrize(
    "name, deviation, largest",
    [("random_normal", 0.05, None), ("random_uniform", 0.05 / np.sqrt(3), 0.05), ("truncated_normal", 0.04398, 0.1),
     (("random_normal", 0.3), 0.3, None), (["random_uniform", 0.3], 0.3 / np.sqrt(3), 0.3)],
)  # fmt: skip
def test_other_random_initial_weights(name, deviation, largest):
    values = initial(name, (100, 300))
    assert values.std() == pytest.approx(deviation, rel=0.03)
    assert largest is None or 0.99 * largest < abs(values).max() <= largest


def initial(name, shape):
    """Initial weights of a Dense or Conv2D for a kernel of `shape`, whose initializer is called `name`."""
    *window, inputs, outputs = shape
    layer = (
        layers.Conv2D(outputs, tuple(window), kernel_initializer=name)
        if window
        else layers.Dense(outputs, kernel_initializer=name)
    )
    mtc.Sequential([layer], (9, 9, inputs) if window else (inputs,), seed=3, dtype="float64")
    assert type(layer)(**json.loads(json.dumps(layer.config()))).config().keys() == layer.config().keys()
    return np.array(layer.parameters["kernel"])


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (3, 2, 4, 7)])
def test_orthogonal_and_identity(shape):
    matrix = initial("orthogonal", shape).reshape(-1, shape[-1])
    product = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-12)
    if len(shape) == 2:
        np.testing.assert_array_equal(initial("identity", shape), np.eye(*shape))


@pytest.mark.parametrize("window, channels, filters", [((3, 3), 4, 7), ((3, 5), 4, 2), ((3, 1), 3, 3), ((2, 4), 2, 3)])
def test_identity_of_a_convolution_hands_its_channels_on(window, channels, filters):
    """With a gain of 2: the first filters return twice their channel, and those beyond are drawn as without one."""
    layer = layers.Conv2D(filters, window, padding="same", use_bias=False, kernel_initializer=("identity", 2))
    drawn = layers.Conv2D(filters, window, padding="same", use_bias=False, kernel_initializer="lecun_uniform")
    x = normal((2, 5, 6, channels))
    y, other = (mtc.Sequential([each], (5, 6, channels), seed=0, dtype="float64").predict(x) for each in (layer, drawn))
    shared = min(channels, filters)
    np.testing.assert_array_equal(y[..., :shared], 2 * x[..., :shared])
    np.testing.assert_array_equal(y[..., shared:], other[..., shared:])


@pytest.mark.parametrize("filters, groups, window", [(6, 2, (3, 3)), (4, 2, (1, 3)), (9, 3, (3, 2)), (3, 3, (5, 5))])
def test_identity_of_each_group_as_in_torch(filters, groups, window):
    """`dirac_` of PyTorch fills the filters beyond the channels with 0 instead of random numbers."""
    torch = pytest.importorskip("torch")
    channels, arguments = 2 * groups, {"padding": "same", "use_bias": False, "groups": groups}
    layer = layers.Conv2D(filters, window, kernel_initializer="identity", **arguments)
    mtc.Sequential([layer], (5, 6, channels), seed=0)
    kernel = np.array(layer.parameters["kernel"])
    expected = torch.nn.init.dirac_(torch.empty(filters, 2, *window), groups).numpy().transpose(2, 3, 1, 0)
    expected = np.roll(expected, [(n - 1) // 2 - n // 2 for n in window], axis=(0, 1))  # an even window has two middles
    handing_on = np.arange(filters) % (filters // groups) < 2
    np.testing.assert_array_equal(kernel[..., handing_on], expected[..., handing_on])
    assert (kernel[..., ~handing_on] != 0).all()


@pytest.mark.parametrize("channels, multiplier, window", [(4, 1, (3, 3)), (3, 2, (3, 5)), (2, 5, (2, 1))])
def test_identity_of_a_depthwise_kernel_hands_each_channel_on(channels, multiplier, window):
    """By the first of its filters; the separable layer's 1x1 kernel then picks them out by hand."""
    arguments = {"depth_multiplier": multiplier, "padding": "same", "use_bias": False}
    layer = layers.DepthwiseConv2D(window, depthwise_initializer=("identity", 2), **arguments)
    drawn = layers.DepthwiseConv2D(window, depthwise_initializer="lecun_uniform", **arguments)
    separable = layers.SeparableConv2D(channels, window, depthwise_initializer="identity", **arguments)
    x = normal((2, 5, 6, channels))
    y, other, _ = (
        mtc.Sequential([each], x.shape[1:], seed=0, dtype="float64").predict(x) for each in (layer, drawn, separable)
    )
    np.testing.assert_array_equal(y[..., ::multiplier], 2 * x)
    beyond = np.arange(channels * multiplier) % multiplier > 0
    np.testing.assert_array_equal(y[..., beyond], other[..., beyond])
    separable.parameters["pointwise_kernel"] = np.repeat(np.eye(channels), multiplier, 0)[None, None] * ~beyond[:, None]
    np.testing.assert_allclose(separable.forward(x), x, rtol=1e-15)
    assert layer.config()["depthwise_initializer"] == ("identity", 2)


def test_a_transposed_convolution_refuses_identity():
    with pytest.raises(ArgumentError, match=r"^conv2d_transpose: initializer: expected (?!.*identity,).*got 'id"):
        layers.Conv2DTranspose(3, 3, kernel_initializer="identity")
    assert layers.Conv2DTranspose(3, 3, kernel_initializer=("orthogonal", 2)).config()


def test_constant_biases():
    layer = layers.DepthwiseConv2D(3, bias_initializer=("constant", 0.25), depthwise_initializer="ones")
    mtc.Sequential([layer], (5, 6, 4), seed=0)
    assert (layer.parameters["bias"] == 0.25).all() and (layer.parameters["kernel"] == 1).all()
    assert layer.config()["bias_initializer"] == ("constant", 0.25)
    assert "kernel_initializer" not in layers.Conv2D(1, 1).config()
    assert layer.config()["depthwise_initializer"] == "ones" and "kernel_initializer" not in layer.config()


def test_initializers_of_a_separable_convolution():
    """Keras's names; each draws its own parameter, and the fans are those of the whole kernel, as in Keras."""
    layer = layers.SeparableConv2D(
        50, (3, 2), depth_multiplier=30, depthwise_initializer="he_uniform",
        pointwise_initializer=("random_normal", 0.3), bias_initializer=("constant", 0.25),
    )  # fmt: skip
    mtc.Sequential([layer], (5, 6, 40), seed=0, dtype="float64")
    p, edge = layer.parameters, np.sqrt(6 / (3 * 2 * 40))
    assert 0.99 * edge < abs(p["depthwise_kernel"]).max() <= edge
    assert p["pointwise_kernel"].std() == pytest.approx(0.3, rel=0.02) and (p["bias"] == 0.25).all()
    config = json.loads(json.dumps(layer.config()))
    assert config["depthwise_initializer"] == "he_uniform" and config["pointwise_initializer"] == ["random_normal", 0.3]
    assert layers.SeparableConv2D(**config).config() == layer.config() | {
        "pointwise_initializer": ["random_normal", 0.3], "bias_initializer": ["constant", 0.25],
    }  # fmt: skip
    assert not [key for key in layers.SeparableConv2D(2, 3).config() if "initializer" in key]
    with pytest.raises(ArgumentError, match=r"separable_conv2d: initializer: expected one of .* got 'he'"):
        layers.SeparableConv2D(2, 3, pointwise_initializer="he")
