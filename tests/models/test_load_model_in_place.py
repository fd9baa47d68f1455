"""Nested models in `.h5` files whose weights' names do not tell which inner model they are of.

Keras 3 names a weight by where its layer was built first: in the file that Keras 3.15 wrote for a model `mid3` of the
models `in3` and `deep`, each with a layer `c`, one kernel is called `c/kernel` and the other `mid3/deep/c/kernel`.
"""

import json

import h5py
import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn.errors import WeightsError

SHAPE, SIDES = (7, 5, 3), (3, 1)  # the second convolution's kernel is 1x1


def entry(class_name, name, **config):
    return {"class_name": class_name, "config": {"name": name, **config}}


def chain(name, *layers):
    first = entry("InputLayer", f"{name}_input", batch_shape=[None, *SHAPE])
    return entry("Sequential", name, layers=[first, *layers])


def convolution(side, trainable):
    return entry("Conv2D", "c", filters=3, kernel_size=[side, side], padding="same", trainable=trainable)


def written(path, owners, sides=SIDES, trainable=(True, True)):
    """A whole-model file with `mid3` of two models; its weights are listed by their `owners` in this order."""
    inner = [chain(name, convolution(*each)) for name, *each in zip(("in3", "deep"), SIDES, trainable)]
    config = chain("outer", chain("mid3", *inner))
    random = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "3.15.1", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"mid3"]
        group = weights.create_group("mid3")
        group.attrs["weight_names"] = [f"{owner}/{name}".encode() for owner in owners for name in ("kernel", "bias")]
        for owner, side in zip(owners, sides):
            group[f"{owner}/kernel"] = random.random((side, side, 3, 3), np.float32)
            group[f"{owner}/bias"] = random.random(3, np.float32)
        return {owner: group[f"{owner}/kernel"][...] for owner in owners}


@pytest.mark.parametrize("owners", [("c", "mid3/deep/c"), ("mid3/in3/c", "c"), ("c", "elsewhere/c"), ("old", "older")])
def test_layers_that_the_names_leave_over_are_taken_in_order(owners, tmp_path):
    path = tmp_path / "n.h5"
    kernels = written(path, owners)
    layers = mtc.load_model(path).layers
    assert [layer.name for layer in layers] == ["mid3/in3/c", "mid3/deep/c"]
    for layer, owner in zip(layers, owners, strict=True):
        np.testing.assert_array_equal(layer.parameters["kernel"], kernels[owner])


def test_frozen_layers_come_last_in_the_file(tmp_path):
    path = tmp_path / "n.h5"
    kernels = written(path, ("old", "older"), sides=SIDES[::-1], trainable=(False, True))
    first, second = mtc.load_model(path).layers
    np.testing.assert_array_equal(first.parameters["kernel"], kernels["older"])
    np.testing.assert_array_equal(second.parameters["kernel"], kernels["old"])


@pytest.mark.parametrize(
    "owners, sides", [(("old", "older"), (1, 3)), (("old",), (3,)), (("old", "b", "d"), (3, 1, 1))]
)
def test_other_shapes_or_numbers_are_not_paired(owners, sides, tmp_path):
    path = tmp_path / "n.h5"
    written(path, owners, sides)
    with pytest.raises(WeightsError, match="describes mid3/in3/c, mid3/deep/c but has no weights"):
        mtc.load_model(path)
