"""Which layer goes where: by order, by name, in nested models; and what is said when it does not fit."""

import h5py
import numpy as np
import pytest
from keras_targets import FIXTURES, assert_weights_equal, reference, target

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, load, save
from minitorch_cnn.keras_h5.hdf5.datasets import Dataset

SEQ, NESTED = FIXTURES / "seq", FIXTURES / "nested"
RENAMED = {"conv2d": "a", "conv2d_1": "b", "conv2d_2": "c", "dense": "d", "dense_1": "e"}


def renamed(weights, names):
    return {names.get(layer, layer): arrays for layer, arrays in weights.items()}


@pytest.mark.parametrize("name", ["tfk_legacy_weights.h5", "k3_model.h5", "tf212_v3.weights.h5", "k3.weights.h5"])
def test_order_counts_and_names_do_not(name):
    loaded = load(SEQ / name, target("seq", RENAMED))
    assert_weights_equal(loaded.weights, renamed(reference("seq"), RENAMED))


@pytest.mark.parametrize("name", ["tfk_legacy_weights.h5", "tfk_model.h5", "k3.weights.h5", "tfk_model.keras"])
def test_layers_of_a_nested_model_are_found_by_name_and_the_others_by_order(name):
    names = {"fc1": "hidden", "predictions": "dog"}
    loaded = load(NESTED / name, target("nested", names))
    assert_weights_equal(loaded.weights, renamed(reference("nested"), names))


def test_same_names_in_another_order_are_paired_by_name():
    model = target("seq")
    swapped = Target([layer for layer in reversed(model.layers)], model.input_shape)
    assert_weights_equal(load(SEQ / "tfk_legacy_weights.h5", swapped).weights, reference("seq"))


BY_NAME = [
    ("tfk_legacy_weights.h5", {}),
    ("tfk_model.h5", {}),
    ("k3_model.h5", {}),
    ("k3.weights.h5", {}),
    ("tfk_model.keras", {}),
]


@pytest.mark.parametrize(("name", "options"), BY_NAME)
def test_by_name_takes_what_matches_and_reports_the_rest(name, options):
    base = Target(target("nested").layers[:6])  # without the dense layers on top
    loaded = load(NESTED / name, base, by_name=True)
    expected = {layer: arrays for layer, arrays in reference("nested").items() if layer.startswith("block")}
    assert_weights_equal(loaded.weights, expected)
    assert [row.name for row in loaded.report.layers if row.goes_to == "not used"] == ["fc1", "predictions"]


def test_skip_mismatch_leaves_out_the_layers_that_differ():
    model = target("seq")
    layers = [layer if layer.name != "dense_1" else dense("dense_1", 8, 10) for layer in model.layers]
    loaded = load(SEQ / "tfk_model.h5", Target(layers), skip_mismatch=True)
    expected = {layer: arrays for layer, arrays in reference("seq").items() if layer != "dense_1"}
    assert_weights_equal(loaded.weights, expected)
    assert loaded.skipped == [("dense_1", "the file's dense_1 is 8x3; this model's is 8x10")]
    assert loaded.report.missing == ["dense_1"]


def dense(name, inputs, units, flatten_shape=None):
    shapes = {"kernel": (inputs, units), "bias": (units,)}
    return TargetLayer(name, "Dense", shapes, (inputs,), (units,), True, flatten_shape)


def vgg_like(size, units=2):
    """Two padded convolutions with pools and a dense layer, for images of `size` pixels a side."""
    layers, side, channels = [], size, 3
    for k in (1, 2):
        shapes = {"kernel": (3, 3, channels, 4), "bias": (4,)}
        layers.append(TargetLayer(f"conv{k}", "Conv2D", shapes, (side, side, channels), (side, side, 4)))
        layers.append(TargetLayer(f"pool{k}", "MaxPooling2D", {}, (side, side, 4), (side // 2, side // 2, 4)))
        side, channels = side // 2, 4
    layers.append(TargetLayer("flatten", "Flatten", {}, (side, side, 4), (side * side * 4,)))
    layers.append(dense("fc1", side * side * 4, units, (side, side, 4)))
    return Target(layers, (size, size, 3))


def some_weights(model):
    return {
        layer.name: {name: np.ones(shape, np.float32) for name, shape in layer.weights.items()}
        for layer in model.weighted()
    }


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (vgg_like(30), "the file's fc1 is 256x2, made for 32x32 images; this model's is 196x2"),
        (vgg_like(32, units=5), "the file's fc1 is 256x2; this model's is 256x5"),
        (Target(vgg_like(32).layers[:-1]),
         "the file has 3 layers with weights, this model has 2; only in the file: fc1;"
         " by_name=True loads the layers whose names match"),
        (Target([*vgg_like(32).layers, dense("fc2", 2, 2)]),
         "the file has 3 layers with weights, this model has 4; only in the model: fc2;"
         " by_name=True loads the layers whose names match"),
        (Target([dense("top", 9, 2)]),
         "the file has 3 layers with weights (conv1, conv2, fc1), this model has 1 (top)"),
        (Target([layer if layer.name != "conv2" else TargetLayer("conv2", "Conv2D", {"kernel": (3, 3, 4, 4)})
                 for layer in vgg_like(32).layers]),
         "the file's conv2 has the weights kernel, bias; this model's conv2 has kernel"),
    ],
)  # fmt: skip
def test_misfits_are_told_in_layers(tmp_path, model, message):
    path = tmp_path / "vgg.h5"
    save(path, vgg_like(32), some_weights(vgg_like(32)))
    with pytest.raises(WeightsError) as error:
        load(path, model)
    assert str(error.value) == f"{path}: {message}"


def test_another_image_size_without_padding_has_no_plain_factor(tmp_path):
    model = target("seq")
    layers = [layer if layer.name != "dense" else dense("dense", 150, 8, (5, 5, 6)) for layer in model.layers]
    with pytest.raises(WeightsError, match="dense is 24x8, made for images of another size; this model's is 150x8"):
        load(SEQ / "tfk_model.h5", Target(layers, model.input_shape))


@pytest.mark.parametrize(
    ("path", "model", "options", "message"),
    [
        (SEQ / "tfk_v3.weights.h5", target("seq"), {"by_name": True},
         ".weights.h5 (`layers`) stores no layer names, so by_name=True cannot work; load in order"),
        (FIXTURES / "keras1" / "keras0_nb_layers_theano.h5", target("seq"), {"by_name": True},
         "Keras 0.x weights (`nb_layers`) stores no layer names"),
        (SEQ / "tfk_model.h5", target("nested"), {"by_name": True},
         "no layer of the file has the name of a layer of this model: the file has conv2d, conv2d_1, conv2d_2, dense,"),
        (NESTED / "tfk_model.h5", target("seq"), {},
         "inside a model named mini_vgg; they are matched by name, because their order depends on which were frozen"),
        (SEQ / "tfk_v3.weights.h5", target("nested"), {},
         "the file has 3 conv2d layers (conv2d, conv2d_1, conv2d_2), this model has 4 (block1_conv1, block1_conv2,"),
        (FIXTURES / "made_by_keras" / "tf_keras_inside_and_outside_v3.weights.h5", target("inside_and_outside"), {},
         "has conv2d layers both inside and outside a nested model and does not store their order"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused(path, model, options, message):
    with pytest.raises(WeightsError) as error:
        load(path, model, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_is_read_before_everything_fits(monkeypatch, tmp_path):
    def refuse(self):
        raise AssertionError("a weight was read")

    monkeypatch.setattr(Dataset, "read", refuse)
    wrong_last = Target([*target("seq").layers[:-1], dense("dense_1", 8, 10)])
    with pytest.raises(WeightsError, match="dense_1 is 8x3"):
        load(SEQ / "tfk_model.h5", wrong_last)


def test_numbers_sort_as_numbers(tmp_path):
    """Twelve equal dense layers in a `.weights.h5`: HDF5 lists dense_10 before dense_2."""
    layers = [dense(f"layer{k}", 3, 3) for k in range(12)]
    weights = {layer.name: {"kernel": np.full((3, 3), k, np.float32), "bias": np.full(3, -k, np.float32)}
               for k, layer in enumerate(layers)}  # fmt: skip
    save(tmp_path / "x.weights.h5", Target(layers), weights)
    with h5py.File(tmp_path / "x.weights.h5", "r+") as file:
        for name in file["layers"]:
            del file[f"layers/{name}/vars"].attrs["name"]  # as written before Keras 3.6
    assert_weights_equal(load(tmp_path / "x.weights.h5", Target(layers)).weights, weights)


def test_two_nested_layers_of_one_name_are_not_confused(tmp_path):
    with h5py.File(tmp_path / "twice.h5", "w") as file:
        file.attrs["layer_names"] = np.array([b"left", b"right"])
        file.attrs["keras_version"] = "2.15.0"
        for side in ("left", "right"):
            group = file.create_group(side)
            group.attrs["weight_names"] = np.array([f"{name}/kernel:0".encode() for name in ("same", f"{side}_only")])
            for name in ("same", f"{side}_only"):
                group[f"{name}/kernel:0"] = np.ones((2, 2), np.float32)
    shapes = {"kernel": (2, 2)}
    model = Target([TargetLayer(name, "Dense", shapes) for name in ("same", "left_only", "other", "right_only")])
    with pytest.raises(WeightsError, match="for same, same there is no layer of that name, or two"):
        load(tmp_path / "twice.h5", model)


def test_what_may_not_be_read_is_never_skipped():
    path = FIXTURES / "hostile" / "virtual_dataset.h5"
    with pytest.raises(WeightsError, match="virtual dataset"):
        load(path, target("seq"), skip_mismatch=True)


def test_a_load_that_would_skip_every_layer_is_refused():
    layers = [dense(layer.name, 7, 7) if layer.weights else layer for layer in target("seq").layers]
    message = "no layer of the file fits the model; the first: the file's conv2d is 3x3x3x4; this model's is 7x7"
    with pytest.raises(WeightsError, match=message):
        load(SEQ / "tfk_model.h5", Target(layers), skip_mismatch=True)


def test_a_normalization_stored_as_a_scalar_behind_a_flatten_is_one_line(tmp_path):
    path = tmp_path / "scalar.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"flatten_1", b"batch_norm_1"])
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.0"
        file.create_group("flatten_1").attrs["weight_names"] = np.zeros(0)
        names = [f"batch_norm_1/{name}:0" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
        group = file.create_group("batch_norm_1")
        group.attrs["weight_names"] = np.array([name.encode() for name in names])
        for name in names:
            group.create_dataset(name, data=np.float32(1))
    model = mtc.Sequential([layers.Flatten(), layers.BatchNorm()], (2, 3, 4), seed=0)
    with pytest.raises(WeightsError) as error:
        model.load_weights(path, flatten_order="channels_first")
    assert "\n" not in str(error.value) and "batch_norm_1" in str(error.value)
