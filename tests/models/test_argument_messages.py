"""Mistakes in calls of a model and of `load_model`: one line that names what is wrong, not something beside it."""

import json
import zipfile

import numpy as np
import pytest
from minitorch_cnn.layers import Concatenate, Dense, Flatten, ReLU

import minitorch_cnn as mtc
from minitorch_cnn.errors import ArgumentError, ShapeError, UserError, WeightsError


def two_inputs():
    left, right = mtc.Input((4,), "left"), mtc.Input((np.int64(6),), "right")
    return mtc.Model([left, right], Concatenate()([Dense(2, name="one")(left), Dense(2, name="two")(right)]), seed=1)


def stored(folder):
    path = folder / "x.keras"
    mtc.Sequential([Flatten(), Dense(2)], (5, 3, 3)).save(path)
    return path


def twice():
    relu = ReLU()
    return mtc.Sequential([relu, Dense(2), relu])


def extended_twice():
    relu = ReLU()
    return mtc.Sequential([Dense(2)], (3,)).extend([relu, relu])


MISTAKES = {
    "second input": (lambda _: two_inputs().predict([np.ones((3, 4)), np.ones((3, 5))]), ShapeError,
                     "input 2, which two reads: expected input of shape (N, 6), got (3, 5)"),
    "first input": (lambda _: two_inputs().forward([np.ones((3, 5)), np.ones((3, 6))]), ShapeError,
                    "input 1, which one reads: expected input of shape (N, 4), got (3, 5)"),
    "one image": (lambda _: mtc.Sequential([Dense(2)], (3,)).predict(np.ones(3)), ShapeError,
                  "expected input of shape (N, 3), got (3,); a single one is x[None]"),
    "a data set": (lambda _: mtc.Sequential([Dense(2)], (3,)).fit(mtc.datasets.digits(), optimizer="sgd"),
                   ArgumentError, "fit: x: expected an array or a sequence, got Dataset; its parts are train_images"),
    "input_shape of a file": (lambda folder: mtc.load_model(stored(folder), input_shape=40), ArgumentError,
                              "load_model: input_shape: expected whole numbers such as (32, 32, 3), got 40"),
    "one layer twice": (lambda _: twice(), ArgumentError, "relu: a Sequential cannot hold one layer twice"),
    "one new layer twice": (lambda _: extended_twice(), ArgumentError, "cannot hold one layer twice"),
    "copy of integers": (lambda _: two_inputs().copy("int32"), ArgumentError,
                         "dtype: expected float32 or float64, got 'int32'"),
    "copy of no type": (lambda _: two_inputs().copy("none"), ArgumentError, "dtype: expected float32 or float64"),
    "save": (lambda _: two_inputs().save(None), ArgumentError, "save: expected the path of a file, got None"),
    "save_weights": (lambda _: two_inputs().save_weights(None), ArgumentError, "save_weights: expected the path"),
    "load_weights": (lambda _: two_inputs().load_weights(7), ArgumentError, "load_weights: expected the path"),
    "load_model": (lambda _: mtc.load_model(None), ArgumentError, "load_model: expected the path of a file, got None"),
    "export_onnx": (lambda _: two_inputs().export_onnx(None), ArgumentError, "export_onnx: expected the path"),
    "a null character": (lambda _: two_inputs().save("a\0.npz"), ArgumentError,
                         "save: expected the path of a file, got 'a\\x00.npz', which holds a null character"),
    "a null character in a file to read": (lambda _: mtc.load_model("a\0.h5"), ArgumentError, "a null character"),
    "by_name of load_model": (lambda folder: mtc.load_model(stored(folder), by_name=True), ArgumentError,
                              "load_model: expected one of the options allow_nonfinite, dim_ordering"),
    "skip_mismatch of load_model": (lambda folder: mtc.load_model(stored(folder), skip_mismatch=True), ArgumentError,
                                    "running_std, got skip_mismatch"),
    "preprocessing of load_model": (lambda folder: mtc.load_model(stored(folder), preprocessing=3), ArgumentError,
                                    "preprocessing: expected an object such as datasets.Standardize(...), got 3"),
    "a number that is True": (lambda _: mtc.Input((True, 3)), ArgumentError, "Input: expected a shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_names_the_mistake(name, tmp_path):
    act, kind, words = MISTAKES[name]
    with pytest.raises(UserError) as caught:
        act(tmp_path)
    assert type(caught.value) is kind and words in str(caught.value) and "\n" not in str(caught.value)


def test_shapes_may_be_integers_of_numpy(tmp_path):
    shape = tuple(np.array([5, 3, 3]))
    assert mtc.Input(shape).shape == (5, 3, 3) and {type(size) for size in mtc.Input(shape).shape} == {int}
    json.dumps(two_inputs().config())
    assert mtc.load_model(stored(tmp_path), input_shape=shape).input_shape == (5, 3, 3)


@pytest.mark.parametrize("registered", [None, "Custom>Net"])
def test_a_model_written_in_python_is_not_called_damaged(registered, tmp_path):
    """As Keras 3.15 stores a subclass of its Model that has no `get_config`."""
    path = stored(tmp_path)
    config = {"module": None, "class_name": "Net", "config": {"name": "net", "trainable": True}}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            text = json.dumps(config | {"registered_name": registered})
            archive.writestr(name, text if name == "config.json" else content)
    with pytest.raises(WeightsError, match=r"it holds a model of the class .*Net, which comp") as caught:
        mtc.load_model(path)
    assert "damaged" not in str(caught.value) and "\n" not in str(caught.value)
