"""Names of layers in files that `Model.save` writes: Keras takes no `/`, and every reader only what can be printed."""

import json
import zipfile

import h5py
import numpy as np
import pytest
from minitorch_cnn.layers import Activation, Conv2D, Dense, Flatten

import minitorch_cnn as mtc
from minitorch_cnn.errors import ArgumentError

SHAPE = (7, 5, 3)


def names_in(path):
    """The names of the layers in the file's description, without those of the inputs."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    else:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["model_config"])
    return [each["config"]["name"] for each in config["config"]["layers"] if each["class_name"] != "InputLayer"]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_slashes_are_replaced_and_names_stay_unique(ending, tmp_path):
    layers = [Conv2D(2, 3, padding="same", name="a/c"), Conv2D(3, 3, padding=1, name="b/c"), Conv2D(2, 3, name="a_c"),
              Flatten(), Dense(4, name="a_/c"), Activation("softmax", name="last/one")]  # fmt: skip
    model = mtc.Sequential(layers, SHAPE, seed=3)
    path = tmp_path / f"x{ending}"
    model.save(path)
    assert names_in(path) == ["a_c_", "b_c_pad", "b_c", "a_c", "flatten_1", "a__c", "last_one"]
    again, x = mtc.load_model(path), np.random.default_rng(1).random((2, *SHAPE), np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert [layer.name for layer in model.layers][:2] == ["a/c", "b/c"]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_name_that_load_model_refuses_is_never_written(ending, tmp_path):
    path = tmp_path / f"x{ending}"
    mtc.Sequential([Conv2D(2, 3, name="c" * 300)], SHAPE).save(path)
    assert names_in(path) == ["c" * 300] and mtc.load_model(path).layers[0].name == "c" * 300
    path.unlink()
    with pytest.raises(ArgumentError, match="at most 300 characters"):  # with the padding's own name, c..._pad
        mtc.Sequential([Conv2D(2, 3, padding=1, name="c" * 300)], SHAPE).save(path)
    layer = Conv2D(2, 3)
    model = mtc.Sequential([layer], SHAPE)
    layer._name = "odd\nname"
    with pytest.raises(ArgumentError, match="can be printed"):
        model.save(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "a\0", "\ud800", "a" * 301, 7])
def test_a_layer_does_not_take_such_a_name(name):
    layer = Dense(3)
    for act in (lambda: Dense(3, name=name), lambda: setattr(layer, "name", name)):
        with pytest.raises(ArgumentError, match="dense: name: expected a") as caught:
            act()
        assert str(caught.value).isprintable() and len(str(caught.value)) < 250
