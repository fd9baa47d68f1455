"""`Model.save`: convolutions that Keras has only together with another layer, or not at all."""

import json
import zipfile

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.errors import ArgumentError


def written_layers(path):
    """[(class, settings)] in a `.keras` file without its input."""
    with zipfile.ZipFile(path) as file:
        entries = json.loads(file.read("config.json"))["config"]["layers"]
    return [(each["class_name"], each["config"]) for each in entries if each["class_name"] != "InputLayer"]


# padding, output_padding -> the output_padding in the file, and what is cropped after it
CROPPED = [
    (1, None, [0, 0], [[1, 1], [1, 1]]),
    (((0, 1), (2, 0)), None, [0, 0], [[0, 1], [2, 0]]),
    (((1, 0), (0, 2)), 1, [1, 0], [[1, 0], [0, 1]]),
    (((1, 1), (1, 1)), 1, [0, 0], [[1, 0], [1, 0]]),
]


@pytest.mark.parametrize("padding, more, written, cropped", CROPPED)
@pytest.mark.parametrize("activation", ["linear", "softmax", "gelu_tanh"])
def test_the_padding_of_a_transposed_convolution_is_cropped(padding, more, written, cropped, activation, tmp_path):
    """It is cut off the output. These very settings were opened in Keras 3 and tf_keras, which compute the same."""
    layer = layers.Conv2DTranspose(3, 3, 2, padding, more, activation=activation, name="up",
                                   bias_initializer="random_normal")  # fmt: skip
    model = mtc.Sequential([layer, layers.ReLU()], (5, 6, 2), seed=1)
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 2)).astype("float32")
    for ending in (".keras", ".h5") if activation != "gelu_tanh" else (".keras",):
        model.save(tmp_path / f"x{ending}")
        again = mtc.load_model(tmp_path / f"x{ending}")
        assert again.output_shape == model.output_shape
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
    (kind, convolution), *between, (cut, settings), _ = written_layers(tmp_path / "x.keras")
    assert (kind, convolution["padding"], convolution["output_padding"]) == ("Conv2DTranspose", "valid", written)
    assert (cut, settings["name"], settings["cropping"]) == ("Cropping2D", "up_crop", cropped)
    assert [each for each, _ in between] == (["Gelu"] if activation == "gelu_tanh" else [])


def test_steps_around_a_layer_that_is_called_twice(tmp_path):
    x = mtc.Input((6, 5, 2))
    up, over = layers.Conv2DTranspose(2, 3, padding=1, name="up"), layers.Conv2D(2, 3, padding=1, name="over")
    model = mtc.Model(x, layers.Add()([over(up(up(x))), over(x)]), seed=3)
    images = np.random.default_rng(0).standard_normal((2, 6, 5, 2)).astype("float32")
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"x{ending}")
        np.testing.assert_array_equal(mtc.load_model(tmp_path / f"x{ending}").predict(images), model.predict(images))


BOTH = {"strides": 2, "dilation_rate": 2, "name": "both"}
KINDS = {
    "Conv2D": (layers.Conv2D(3, 2, **BOTH), (".keras", ".h5")),
    "grouped": (layers.Conv2D(3, 2, groups=3, **BOTH), (".keras", ".h5")),
    "Conv2DTranspose": (layers.Conv2DTranspose(3, 2, **BOTH), (".keras", ".h5")),
    "DepthwiseConv2D": (layers.DepthwiseConv2D(2, **BOTH), (".h5",)),
    "SeparableConv2D": (layers.SeparableConv2D(3, 2, **BOTH), (".h5",)),
}


@pytest.mark.parametrize("name", KINDS)
def test_strides_and_dilation_together_are_refused_where_keras_has_no_such_layer(name, tmp_path):
    layer, refused = KINDS[name]
    model = mtc.Sequential([layer], (9, 9, 3))
    for ending in (".keras", ".h5"):
        if ending in refused:
            with pytest.raises(ArgumentError, match=r"both: Keras [23] has no .* with both strides \(2, 2\)"):
                model.require_savable(tmp_path / f"x{ending}")
        else:
            model.save(tmp_path / f"x{ending}")
    model.save(tmp_path / "x.npz")
