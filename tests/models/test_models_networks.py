"""The slides' networks: every shape of the table, Keras's names, Keras's numbers of parameters, Keras's rules."""

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Caffe, Standardize

from minitorch_cnn import layers, models
from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError

CONVOLUTIONS = {"block1": (2, 64), "block2": (2, 128), "block3": (3, 256), "block4": (3, 512), "block5": (3, 512)}


def shapes(model, *kinds):
    return [layer.output_shape for layer in model.layers if isinstance(layer, kinds)]


def drawn(model):
    """Whether any initial weight was drawn."""
    return any(layer._undrawn is None for layer in model.layers if layer.parameter_shapes())


def test_vgg16_has_keras_names_shapes_and_parameters():
    model = models.vgg16()
    expected, side, channels = [], 224, 3
    for block, (count, filters) in CONVOLUTIONS.items():
        for number in range(1, count + 1):
            expected.append((f"{block}_conv{number}", (side, side, filters), 9 * channels * filters + filters))
            channels = filters
        side //= 2
        expected.append((f"{block}_pool", (side, side, filters), 0))
    expected += [
        ("flatten", (25088,), 0),
        ("fc1", (4096,), 102_764_544),
        ("fc2", (4096,), 16_781_312),
        ("predictions", (1000,), 4_097_000),
    ]
    assert [(layer.name, layer.output_shape, layer.count_parameters()) for layer in model.layers] == expected
    assert sum(layer.count_parameters() for layer in model.layers) == 138_357_544
    for layer in model.layers:
        activation = "softmax" if layer.name == "predictions" else "relu"
        assert layer.activation is None or layer.activation.name == activation
        if isinstance(layer, layers.Conv2D):
            assert (layer.padding, layer.strides, layer.kernel_size) == ("same", (1, 1), (3, 3))
    assert isinstance(model.preprocessing, Caffe)
    assert not drawn(model)  # 138 million numbers that a weight file would overwrite


@pytest.mark.parametrize(
    "input_shape, output_shape",
    [
        ((224, 224, 3), (7, 7, 512)),
        ((150, 150, 3), (4, 4, 512)),
        ((32, 32, 3), (1, 1, 512)),
        ((64, 33, 1), (2, 1, 512)),
    ],
)
def test_vgg16_without_the_top(input_shape, output_shape):
    model = models.vgg16(include_top=False, input_shape=input_shape)
    assert model.output_shape == output_shape and model.layers[-1].name == "block5_pool"
    wanted = 14_714_688 - (3 - input_shape[2]) * 9 * 64
    assert sum(layer.count_parameters() for layer in model.layers) == wanted
    assert isinstance(model.preprocessing, Caffe) == (input_shape[2] == 3)


def test_vgg16_with_another_top():
    """As in Keras, whoever brings no ImageNet weights is free in size and classes."""
    model = models.vgg16(input_shape=(64, 32, 3), classes=7)
    assert model.get_layer("fc1").parameter_shapes()["kernel"] == (2 * 1 * 512, 4096)
    assert model.output_shape == (7,)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"input_shape": (31, 224, 3)}, ShapeError, "at least 32x32, got (31, 224, 3)"),
        ({"input_shape": (224, 16, 3), "include_top": False}, ShapeError, "at least 32x32, got (224, 16, 3)"),
        ({"input_shape": (224, 224)}, ShapeError, "expected input_shape (H, W, C)"),
        ({"input_shape": (64, 64, 0)}, ShapeError, "expected input_shape (H, W, C)"),
        ({"include_top": False, "classes": 2}, ArgumentError, "classes: expected none with include_top=False"),
        ({"weights": "imagenet"}, ArgumentError, "expected the path of a weight file; weight_files.fetch('vgg16')"),
        ({"weights": "nowhere.h5", "include_top": False, "input_shape": (32, 32, 3)}, WeightsError, "nowhere.h5"),
    ],
    ids=str,
)
def test_vgg16_mistakes_are_one_line(arguments, error, message):
    with pytest.raises(error) as raised:
        models.vgg16(**arguments)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_cats_vs_dogs_is_the_slides_table():
    model = models.cats_vs_dogs()
    assert shapes(model, layers.Conv2D, layers.MaxPool2D) == [
        (148, 148, 32), (74, 74, 32), (72, 72, 32), (36, 36, 32), (34, 34, 64), (17, 17, 64),
    ]  # fmt: skip
    assert shapes(model, layers.Dense) == [(64,), (1,)]
    assert [layer.activation.name for layer in model.layers if layer.activation] == ["relu"] * 4 + ["sigmoid"]
    assert shapes(model, layers.Dropout) == [(64,)]
    assert not shapes(models.cats_vs_dogs(dropout=False), layers.Dropout)
    assert sum(layer.count_parameters() for layer in model.layers) == 896 + 9_248 + 18_496 + 1_183_808 + 65


def test_cats_vs_dogs_takes_what_it_is_given():
    preprocessing = Standardize([1, 2, 3], [4, 5, 6])
    model = models.cats_vs_dogs(seed=5, input_shape=(30, 40, 3), preprocessing=preprocessing, algorithm="im2col")
    same, other = (models.cats_vs_dogs(seed=seed, input_shape=(30, 40, 3)) for seed in (5, 6))
    kernels = [each.layers[0].parameters["kernel"] for each in (model, same, other)]
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])
    assert model.preprocessing is preprocessing and model.layers[0].algorithm == "im2col"
    assert model.predict(np.zeros((2, 30, 40, 3), np.uint8)).shape == (2, 1)


def test_the_transfer_net_is_vgg16_with_a_new_top():
    model = models.transfer_net(input_shape=(32, 32, 3), seed=4)
    base = models.vgg16(include_top=False, input_shape=(32, 32, 3), seed=4)
    assert [layer.name for layer in model.layers] == [
        *[layer.name for layer in base.layers], "rescaling_1", "flatten_1", "dense_1", "dropout_1", "dense_2",
    ]  # fmt: skip
    assert shapes(model, layers.Dense) == [(256,), (1,)] and model.layers[-1].activation.name == "sigmoid"
    learning = {layer.name for layer in model.layers if layer.parameter_shapes() and layer.trainable}
    assert learning == {"dense_1", "dense_2"} and isinstance(model.preprocessing, Caffe)
    for name in ("block1_conv1", "block4_conv2"):
        assert np.array_equal(model.get_layer(name).parameters["kernel"], base.get_layer(name).parameters["kernel"])


def test_the_transfer_net_for_the_slides_photos():
    model = models.transfer_net()
    assert model.input_shape == (150, 150, 3) and model.get_layer("block5_pool").output_shape == (4, 4, 512)
    assert sum(layer.count_parameters() for layer in model.layers) == 14_714_688 + 2_097_408 + 257


def test_preprocessing_is_kerass():
    """`caffe` mode: the channels in reverse, then B, G and R less 103.939, 116.779 and 123.68."""
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype(np.uint8)
    got = Caffe()(images)
    red, green, blue = (images[..., channel].astype(np.float32) for channel in range(3))
    wanted = np.stack([blue - np.float32(103.939), green - np.float32(116.779), red - np.float32(123.68)], axis=-1)
    assert got.dtype == np.float32 and got.flags.c_contiguous and np.array_equal(got, wanted)
    assert Caffe()(images, "float64").dtype == np.float64
    for shape in ((2, 3, 4, 1), (2, 3, 4, 4)):
        with pytest.raises(ShapeError, match=r"expected colour images \(H, W, 3\), got \(2, 3, 4, "):
            Caffe()(np.zeros(shape, np.uint8))


def test_pixels_are_preprocessed_wherever_they_come_in():
    """The same photo as pixels and as what the preprocessing makes of it; training and predicting cannot differ."""
    model = models.vgg16(include_top=False, input_shape=(32, 32, 3)).cut(after="block1_pool")
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    floats = Caffe()(images)
    assert np.array_equal(model.predict(images), model.predict(floats))
    assert np.array_equal(model.forward(images, training=True), model.forward(floats))
