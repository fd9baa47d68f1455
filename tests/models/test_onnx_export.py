"""ONNX files of our models, run by ONNX Runtime: the same predictions."""

import sys

import numpy as np
import pytest
from graph_models import SHAPE, X, residual, siamese, two_answers
from minitorch_cnn.preprocessing import Caffe, Standardize, Unit

import minitorch_cnn as mtc
from minitorch_cnn import layers, models
from minitorch_cnn.errors import ArgumentError, MissingPackage

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def run(path, inputs):
    """The outputs of the file for a list of arrays."""
    onnx.checker.check_model(str(path), full_check=True)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([each.name for each in session.get_inputs()], inputs)))


def agrees(model, x, path, tolerance=1e-5):
    """Whether the file's predictions are those of the model, within `tolerance` of the largest number."""
    model.export_onnx(path)
    got = run(path, x if model.inputs > 1 else [x])
    expected = model.predict(x)
    for one, other in zip(got, expected if model.outputs > 1 else [expected]):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= tolerance * np.abs(other).max()


def trained_statistics(model, seed=0):
    """`model` with batch-norm statistics that are not those of the beginning, and biases that are not zero."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name in ("bias", "beta", "moving_mean"):
            if name in layer.parameters:
                layer.parameters[name] = rng.normal(0, 0.3, layer.parameters[name].shape)
        for name in ("gamma", "moving_variance"):
            if name in layer.parameters:
                layer.parameters[name] = rng.uniform(0.5, 1.5, layer.parameters[name].shape)
    return model


@pytest.mark.parametrize("make", [residual, siamese, two_answers])
def test_networks_with_branches(tmp_path, make):
    model = trained_statistics(make())
    agrees(model, [X[:5], X[5:10]] if model.inputs > 1 else X[:5], tmp_path / "m.onnx")


def chain(*stack, shape=SHAPE, preprocessing=None):
    return trained_statistics(mtc.Sequential(list(stack), shape, seed=1, preprocessing=preprocessing))


CHAINS = {
    "strides and same padding": lambda: chain(layers.Conv2D(5, (3, 2), (2, 1), "same"), layers.ReLU()),
    "padding on four sides": lambda: chain(layers.Conv2D(4, 3, padding=((2, 0), (1, 3)), use_bias=False)),
    "a max pool that overlaps": lambda: chain(layers.MaxPool2D((3, 2), (2, 1), "same")),
    "an average pool at the edge": lambda: chain(layers.AveragePool2D((3, 2), (2, 3), "same")),
    "zero padding, batch norm": lambda: chain(layers.ZeroPad2D(((0, 2), (1, 0))), layers.BatchNorm(scale=False)),
    "flatten and dense": lambda: chain(layers.Conv2D(3, 2), layers.Flatten(), layers.Dense(4, "tanh")),
    "softmax over channels": lambda: chain(layers.Conv2D(3, 2, activation="softmax")),
    "batch norm of vectors": lambda: chain(layers.Flatten(), layers.BatchNorm(center=False), layers.Dropout(0.4)),
    "depthwise": lambda: chain(layers.DepthwiseConv2D((3, 2), (2, 1), "same", depth_multiplier=2, activation="silu")),
    "depthwise with holes": lambda: chain(layers.DepthwiseConv2D(2, padding=((1, 0), (0, 2)), dilation_rate=2)),
    "separable": lambda: chain(layers.SeparableConv2D(4, (2, 3), 2, "same", depth_multiplier=2, activation="gelu")),
    "groups and holes": lambda: chain(layers.Conv2D(6, (3, 2), dilation_rate=(2, 1), groups=3, activation="elu")),
    "transposed, same": lambda: chain(layers.Conv2DTranspose(4, (3, 2), (2, 3), "same", activation="hard_silu")),
    "transposed, valid": lambda: chain(layers.Conv2DTranspose(2, (2, 4), (3, 2), use_bias=False)),
    "largest of a channel": lambda: chain(layers.GlobalMaxPool2D()),
    "mean, kept as an image": lambda: chain(layers.GlobalAveragePool2D(keepdims=True), layers.Conv2D(2, 1)),
    "repeated pixels": lambda: chain(layers.UpSampling2D((2, 3))),
    "bilinear, twice": lambda: chain(layers.UpSampling2D(2, "bilinear")),
    "bilinear, smaller": lambda: chain(layers.Resizing(7, 5)),
    "cropped": lambda: chain(layers.Cropping2D(((1, 0), (2, 1)))),
    "reshaped": lambda: chain(layers.Reshape((9, -1, 1)), layers.Reshape((33, 9)), layers.Reshape((-1,))),
    "permuted": lambda: chain(layers.Permute((3, 1, 2))),
    "rescaled": lambda: chain(layers.Rescaling([0.5, 2, 1], [1, 0, -1]), layers.Normalization()),
    "layer norm and scale": lambda: chain(layers.LayerNorm(), layers.LayerScale(0.3)),
    "PReLU": lambda: chain(layers.PReLU((1, 2)), layers.PReLU()),
    "bent ReLU": lambda: chain(layers.ReLU(6, 0.1, 0.2), layers.LeakyReLU(), layers.ELU(0.7)),
    **{
        name: lambda name=name: chain(layers.Activation(name))
        for name in (
            "selu",
            "softplus",
            "softsign",
            "exponential",
            "hard_sigmoid",
            "relu6",
            "leaky_relu",
            "gelu",
            "gelu_tanh",
        )
    },
    "batch norm of rows": lambda: chain(layers.Reshape((33, 9)), layers.BatchNorm()),
    "batch norm of as many rows as channels": lambda: chain(layers.BatchNorm(), shape=(6, 6)),
    "batch norm of four axes": lambda: chain(layers.Reshape((11, 3, 3, 3)), layers.BatchNorm(center=False)),
    "layers over rows": lambda: chain(
        layers.Reshape((33, 9)),
        layers.LayerNorm(),
        layers.LayerScale(0.3),
        layers.PReLU(),
        layers.PReLU((1,)),
        layers.Softmax(),
        layers.Normalization(),
        layers.Rescaling(list(range(1, 10)), 0.5),
    ),
    "layers over four axes": lambda: chain(
        layers.Reshape((11, 3, 3, 3)),
        layers.LayerNorm(),
        layers.PReLU((2,)),
        layers.Softmax(),
        layers.Rescaling([1, 2, 3], 0.5),
        layers.Flatten(),
    ),
    "a vector as input": lambda: chain(layers.Dense(5, "sigmoid"), layers.Dense(2, use_bias=False), shape=(7,)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_each_kind_of_layer(tmp_path, name):
    model = CHAINS[name]()
    agrees(model, np.random.default_rng(2).standard_normal((3, *model.input_shape)).astype("float32"), tmp_path / "m")


def test_concatenation_along_every_axis(tmp_path):
    for axis in (1, 2, 3, -1, -2):
        x = mtc.Input(SHAPE)
        y = layers.Concatenate(axis)([layers.Conv2D(3, 1)(x), x])
        agrees(mtc.Model(x, y, seed=0), X[:2], tmp_path / "m.onnx")


@pytest.mark.parametrize("kind", [Caffe(), Unit(), Standardize([120, 110, 100], [60, 50, 70]), None])
def test_pixels_go_through_the_preprocessing(tmp_path, kind):
    model = chain(layers.Conv2D(4, 3), preprocessing=kind)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *SHAPE), dtype=np.uint8)
    model.export_onnx(tmp_path / "m.onnx", pixels=True)
    (got,) = run(tmp_path / "m.onnx", [pixels])
    expected = model.predict(pixels)
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_networks_of_the_slides_and_resnet20(tmp_path):
    rng = np.random.default_rng(0)
    for model in (models.cifar10(), models.cats_vs_dogs(), models.tiny_vgg(), models.resnet20()):
        x = rng.standard_normal((2, *model.input_shape)).astype("float32")
        model.preprocessing = None
        agrees(trained_statistics(model), x, tmp_path / "m.onnx")


@pytest.mark.campaign
@pytest.mark.parametrize("make", [models.vgg16, models.resnet50])
def test_large_networks(tmp_path, make):
    model = make(seed=1)
    model.preprocessing = None
    x = np.random.default_rng(0).standard_normal((2, 224, 224, 3)).astype("float32")
    agrees(model, x, tmp_path / "m.onnx")


def test_what_has_no_counterpart_is_named(tmp_path):
    class Mine(layers.Layer):
        pass

    model = mtc.Sequential([Mine(), layers.Flatten()], (3, 2, 1))
    with pytest.raises(ArgumentError, match="no counterpart for the layers Mine"):
        model.export_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingPackage, match="exporting to ONNX needs onnx"):
        residual().export_onnx(tmp_path / "m.onnx")
