"""ResNet50, MobileNetV2 and EfficientNetB0: their arguments, and the weight files that Keras published over time."""

from dataclasses import replace

import numpy as np
import pytest

from minitorch_cnn import keras_h5, models
from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError
from minitorch_cnn.models.resnet50_names import first_name

SMALL = (33, 39, 3)
NETWORKS = {
    "vgg16": ("block5_pool", None),
    "resnet50": ("conv5_block3_out", "avg_pool"),
    "mobilenet_v2": ("out_relu", "global_average_pooling2d"),
    "efficientnet_b0": ("top_activation", "avg_pool"),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"input_shape": (31, 224, 3)}, ShapeError, "at least 32x32, got (31, 224, 3)"),
        ({"input_shape": (224, 224)}, ShapeError, "expected input_shape (H, W, "),
        ({"input_shape": (64, 64, 0)}, ShapeError, "got (64, 64, 0)"),
        ({"include_top": False, "classes": 2}, ArgumentError, "classes: expected none with include_top=False"),
        ({"weights": "imagenet"}, ArgumentError, "expected the path of a weight file; weight_files.fetch('"),
    ],
    ids=str,
)
def test_mistakes_are_one_line_and_name_the_network(name, arguments, error, message):
    with pytest.raises(error) as raised:
        getattr(models, name)(**arguments)
    assert message in str(raised.value) and str(raised.value).startswith(f"{name}: ") and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", [name for name, (_, pool) in NETWORKS.items() if pool])
def test_the_end_without_the_top(name):
    last, pool = NETWORKS[name]
    make = getattr(models, name)
    bare = make(include_top=False, input_shape=SMALL)
    assert bare.layers[-1].name == last and len(bare.output_shape) == 3
    x = np.random.default_rng(0).integers(0, 256, (2, *SMALL)).astype(np.uint8)
    feature_map = bare.predict(x)
    for pooling, layer, reduce in (("avg", pool, np.mean), ("max", "max_pool", np.max)):
        model = make(include_top=False, input_shape=SMALL, pooling=pooling)
        assert model.layers[-1].name == layer
        np.testing.assert_allclose(model.predict(x), reduce(feature_map, axis=(1, 2)), rtol=1e-4, atol=1e-6)
    for arguments, words in (
        ({"pooling": "mean", "include_top": False}, "avg, max or none"),
        ({"pooling": "avg"}, "none"),
    ):
        with pytest.raises(ArgumentError, match=f"{name}: pooling: expected {words}"):
            make(input_shape=SMALL, **arguments)


def test_efficientnet_takes_only_colour():
    with pytest.raises(ShapeError, match=r"expected input_shape \(H, W, 3\) of at least 32x32, got \(40, 40, 1\)"):
        models.efficientnet_b0(input_shape=(40, 40, 1))


FIRST = {
    "conv1_conv": "conv1", "conv1_bn": "bn_conv1", "conv2_block1_0_conv": "res2a_branch1",
    "conv2_block1_3_bn": "bn2a_branch2c", "conv4_block6_2_conv": "res4f_branch2b", "conv5_block3_1_bn": "bn5c_branch2a",
    "predictions": "fc1000", "avg_pool": "avg_pool",
}  # fmt: skip


def test_first_names():
    assert {name: first_name(name) for name in FIRST} == FIRST


@pytest.fixture(scope="module")
def first_file(tmp_path_factory):
    """A network with drawn weights, and its file as of 2015: other names, and branch1 of a block behind branch2c."""
    path = tmp_path_factory.mktemp("weights") / "first.h5"
    model = models.resnet50(include_top=False, input_shape=SMALL, seed=3)
    target = model.keras_target()
    order = sorted(target.layers, key=lambda layer: layer.name.replace("_0_", "_2_9_"))
    renamed = [replace(layer, name=first_name(layer.name)) for layer in order]
    weights = {first_name(layer.name): dict(layer.parameters) for layer in model.layers if layer.parameters}
    keras_h5.save(path, replace(target, layers=tuple(renamed)), weights)
    return model, path


def test_resnets_first_file_fits_by_its_names(first_file):
    """`res2a_branch1` and `res2a_branch2c` have the same shape."""
    model, path = first_file
    loaded = models.resnet50(include_top=False, input_shape=SMALL, seed=4, weights=path)
    assert loaded.fingerprints() == model.fingerprints()
    assert {layer.epsilon for layer in loaded.layers if hasattr(layer, "epsilon")} == {1e-3}


def test_another_file_is_refused(first_file, tmp_path):
    models.tiny_vgg().save_weights(tmp_path / "tiny.h5")
    with pytest.raises(WeightsError, match="the file has"):
        models.resnet50(include_top=False, input_shape=SMALL, weights=tmp_path / "tiny.h5")
    with pytest.raises(WeightsError, match="the file has"):
        models.resnet50(input_shape=SMALL, weights=first_file[1])  # it has no top
