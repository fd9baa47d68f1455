"""Which weight of a layer goes where: by its role; and weights that are found in unusual places."""

import h5py
import numpy as np
import pytest
from keras_models import all_weights
from keras_targets import FIXTURES, assert_weights_equal, target

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, inspect, load, read


def write_lists(path, layers, version=b"2.15.0"):
    """A file of Keras 2: {layer: {name of a weight as the file spells it: array}}."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([layer.encode() for layer in layers])
        if version is not None:
            file.attrs["keras_version"] = version
        for layer, arrays in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([name.encode() for name in arrays])
            for name, array in arrays.items():
                group[name] = array


def normalization(*names):
    return TargetLayer("norm", "BatchNormalization", {name: (4,) for name in names})


MOVING = ("moving_mean", "moving_variance")


@pytest.mark.parametrize("stored", ["gamma", "beta"])
def test_a_gamma_is_never_taken_for_a_beta(tmp_path, stored):
    """Three arrays of one shape on both sides: only their names tell that they are not the same three."""
    arrays = {f"norm/{name}:0": np.full(4, k, np.float32) for k, name in enumerate((stored, *MOVING))}
    write_lists(tmp_path / "x.h5", {"norm": arrays})
    assert load(tmp_path / "x.h5", Target([normalization(stored, *MOVING)])).weights["norm"][stored][0] == 0
    other = {"gamma": "beta", "beta": "gamma"}[stored]
    with pytest.raises(WeightsError, match=f"norm has the weights {stored}, moving_.*; this model's norm has {other},"):
        load(tmp_path / "x.h5", Target([normalization(other, *MOVING)]))


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
def test_an_archive_tells_gamma_from_beta_by_its_description(library):
    """`second_norm` has no gamma, `last_norm` no beta; the numbered arrays themselves do not say so."""
    path = FIXTURES / "made_by_keras" / f"{library}_norm_model.keras"
    assert_weights_equal(load(path, target("norm")).weights, all_weights("norm"))
    swapped = {"second_norm": ("gamma", 5), "last_norm": ("beta", 3)}
    layers = [
        layer if layer.name not in swapped else TargetLayer(
            layer.name, layer.kind, {name: layer.weights["moving_mean"] for name in (swapped[layer.name][0], *MOVING)}
        )
        for layer in target("norm").layers
    ]  # fmt: skip
    with pytest.raises(WeightsError, match=r"second_norm has the weights beta, moving_mean, .* has gamma, moving_mean"):
        load(path, Target(layers))


def test_a_nested_model_of_one_layer_is_found_by_the_layer_s_name(tmp_path):
    ones = np.ones((2, 2), np.float32)
    write_lists(tmp_path / "x.h5", {"base": {"inner/kernel:0": ones}, "top": {"top/kernel:0": 2 * ones}})
    shapes = {"kernel": (2, 2)}
    for name, value in (("inner", 1), ("base", 1), ("top", 2)):
        model = Target([TargetLayer(name, "Dense", shapes), TargetLayer("other", "Dense", shapes)])
        assert load(tmp_path / "x.h5", model, by_name=True).weights == {name: {"kernel": pytest.approx(value * ones)}}


def test_weights_of_a_layer_inside_a_layer_are_not_overlooked(tmp_path):
    """Keras keeps a wrapper's weights one level further down; without them the file would seem to fit."""
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 2), np.float32)
        file["layers/time_distributed/layer/vars/0"] = np.ones((2, 2), np.float32)
        file["layers/dropout/seed_generator/vars/0"] = np.ones(2, np.uint32)  # no weight
        file.create_group("layers/time_distributed/vars")
    model = Target([TargetLayer("dense", "Dense", {"kernel": (2, 2)})])
    with pytest.raises(WeightsError, match=r"the file has 1 time_distributed layer \(time_distributed\), this model"):
        load(tmp_path / "x.weights.h5", model)
    assert "0: it belongs to a layer inside another layer" in str(inspect(tmp_path / "x.weights.h5"))
    with h5py.File(tmp_path / "x.weights.h5", "r+") as file:
        del file["layers/time_distributed"]
    assert list(load(tmp_path / "x.weights.h5", model).weights) == ["dense"]


def test_read_alone_keeps_layers_of_one_name_apart(tmp_path):
    one, two = np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)
    sides = {"left": one, "right": two}
    layers = {side: {"same/kernel:0": array, f"{side}_only/kernel:0": array} for side, array in sides.items()}
    write_lists(tmp_path / "x.h5", layers)
    weights = read(tmp_path / "x.h5")
    assert list(weights) == ["left/same", "left_only", "right/same", "right_only"]
    assert weights["left/same"]["kernel"][0, 0] == 1 and weights["right/same"]["kernel"][0, 0] == 0


def test_read_alone_keeps_weights_of_one_role_apart(tmp_path):
    arrays = {f"{side}/kernel:0": np.full((2, 2), k, np.float32) for k, side in enumerate(("forward", "backward"))}
    write_lists(tmp_path / "x.h5", {"both": {"recurrent:0": np.ones(3, np.float32), **arrays}})
    weights = read(tmp_path / "x.h5")["both"]
    assert {name: array.flat[0] for name, array in weights.items()} == {
        "recurrent:0": 1, "forward/kernel:0": 0, "backward/kernel:0": 1,
    }  # fmt: skip


def test_normalization_without_scale_or_centre_keeps_its_weights_apart():
    weights = load(FIXTURES / "made_by_keras" / "keras_norm_v3.weights.h5", target("norm")).weights
    assert list(weights["second_norm"]) == ["beta", "moving_mean", "moving_variance"]
    assert list(weights["last_norm"]) == ["gamma", "moving_mean", "moving_variance"]
    assert_weights_equal(weights, all_weights("norm"))
