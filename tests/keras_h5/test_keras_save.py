"""Saving: what Keras was seen to read is what is written, whole or not at all."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from keras_engine import engine_model
from keras_models import all_weights
from keras_targets import FIXTURES, assert_weights_equal, reference, target

from minitorch_cnn.errors import ArgumentError, ShapeError, WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, load, save

SAVED = FIXTURES / "saved"


def weights_of(model):
    return reference(model) if model in ("seq", "nested") else all_weights(model)


def contents(path):
    """Everything in an HDF5 file: groups, attributes, arrays with their types."""
    found = {}
    with h5py.File(path) as file:

        def visit(name, node):
            attributes = {key: np.asarray(value) for key, value in node.attrs.items()}
            attributes = {key: (value.dtype.str, value.tolist()) for key, value in attributes.items()}
            array = (node.dtype.str, node.chunks, node[()].tobytes()) if isinstance(node, h5py.Dataset) else None
            found[name] = (attributes, array)

        visit("/", file)
        file.visititems(visit)
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in SAVED.iterdir() if path.suffix == ".h5"))
def test_what_is_written_is_what_keras_has_read(tmp_path, name):
    """`fixtures/saved` was loaded by Keras; a file saved today has the same contents and comes back bit for bit."""
    model = name.split(".")[0]
    engine_model(model).save_weights(tmp_path / name)
    assert contents(tmp_path / name) == contents(SAVED / name)
    assert_weights_equal(load(tmp_path / name, target(model)).weights, weights_of(model))


def test_what_keras_was_given_to_compare_with_is_what_this_package_computes():
    with np.load(SAVED / "outputs.npz") as stored:
        assert set(stored.files) == {"x"} | {path.name.split(".")[0] for path in SAVED.glob("*.h5")}
        for model in set(stored.files) - {"x"}:
            np.testing.assert_allclose(engine_model(model).predict(stored["x"]), stored[model], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
def test_what_keras_found_in_our_files(library):
    """The record of `compare_with_keras.py`."""
    record = json.loads((SAVED / f"read_by_{library}.json").read_text())
    assert set(record["files"]) == {path.name for path in SAVED.glob("*.h5")}
    for name, result in record["files"].items():
        assert result["weights_equal_bit_for_bit"], name
        assert result["layers_changed"] == len(weights_of(name.split(".")[0]))
        assert result["largest_output_difference"] < 1e-5


def test_lists_of_names_over_64_kilobytes_are_cut_in_parts(tmp_path):
    names = [f"layer_{k}_" + "n" * 3000 for k in range(50)]
    layers = [TargetLayer(name, "Dense", {"kernel": (2, 2)}) for name in names]
    weights = {name: {"kernel": np.full((2, 2), k, np.float32)} for k, name in enumerate(names)}
    save(tmp_path / "long.h5", Target(layers), weights)
    with h5py.File(tmp_path / "long.h5") as file:
        assert {"layer_names0", "layer_names1", "layer_names2"} <= set(file.attrs)
        assert "layer_names" not in file.attrs
    assert_weights_equal(load(tmp_path / "long.h5", Target(layers)).weights, weights)


def test_names_with_slashes(tmp_path):
    names = ("conv1", "conv1/bn", "conv1/bn/deep", "conv1/conv1")
    layers = [TargetLayer(name, "Dense", {"kernel": (2, 2)}) for name in names]
    weights = {layer.name: {"kernel": np.full((2, 2), k, np.float32)} for k, layer in enumerate(layers)}
    save(tmp_path / "x.h5", Target(layers), weights)
    assert_weights_equal(load(tmp_path / "x.h5", Target(layers)).weights, weights)


ODD_NAMES = ["a b", "é", "日本", "a:0", "%s", "a\nb", "a/b", "vars", "layer_names", "n" * 4000]
NO_PATHS = ["a//b", "/a", "a/", ".", "..", "a/../b"]
NO_NAMES = ["a\0b", "\ud800", "n" * 5000]


@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
@pytest.mark.parametrize("name", ODD_NAMES + NO_PATHS + NO_NAMES, ids=lambda name: ascii(name)[1:20])
def test_odd_names_come_back_or_are_refused(tmp_path, name, ending):
    """What would not be found again is not written: `.` is the group itself, and `a//b` is a place called a/b."""
    model = Target([TargetLayer(layer, "Dense", {"kernel": (2, 2)}) for layer in (name, "last")])
    weights = {layer.name: {"kernel": np.full((2, 2), k, np.float32)} for k, layer in enumerate(model.layers)}
    path = tmp_path / f"x{ending}"
    if name in NO_NAMES or (name in NO_PATHS and ending == ".h5"):
        advice = name in NO_PATHS
        with pytest.raises(ArgumentError, match=r"^a layer named '.* cannot be saved; give it another name") as raised:
            save(path, model, weights)
        assert str(raised.value).endswith(", or save as .weights.h5") == advice
        assert list(tmp_path.iterdir()) == []
        return
    save(path, model, weights)
    assert_weights_equal(load(path, model).weights, weights)
    with h5py.File(path) as file:
        found = file["layers/dense/vars"].attrs["name"] if ending != ".h5" else file.attrs["layer_names"][0].decode()
    assert found == name


def test_two_layers_whose_names_claim_one_place(tmp_path):
    layers = [TargetLayer(name, "Dense", {"kernel": (2, 2)}) for name in ("a", "a/a/kernel:0")]
    weights = {layer.name: {"kernel": np.ones((2, 2), np.float32)} for layer in layers}
    with pytest.raises(WeightsError, match="not saved: "):
        save(tmp_path / "x.h5", Target(layers), weights)
    assert list(tmp_path.iterdir()) == []


def without(weights, layer):
    return {name: arrays for name, arrays in weights.items() if name != layer}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (without(reference("seq"), "dense"), "dense: expected weights bias, kernel, got none"),
        (reference("seq") | {"extra": {}}, "extra: there are weights for this layer, but the model does not have it"),
        (reference("seq") | {"dense": {"kernel": np.ones((24, 8)), "bias": np.ones(9)}},
         "dense: expected bias 8, got 9"),
    ],
)  # fmt: skip
def test_weights_that_do_not_belong_to_the_model(tmp_path, weights, message):
    with pytest.raises(ShapeError, match=message):
        save(tmp_path / "x.h5", target("seq"), weights)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("x.keras", ArgumentError, "expected a name that ends in .h5 or .weights.h5, got 'x.keras'"),
        ("x", ArgumentError, "expected a name that ends in"),
        ("absent/x.h5", WeightsError, "not saved: there is no folder"),
        ("folder.h5", WeightsError, "not saved: it is a folder"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path, path, error, message):
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(error, match=message):
        save(tmp_path / path, target("seq"), reference("seq"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.h5"]


@pytest.mark.parametrize("name", ["x.h5", "x.weights.h5"])
def test_a_full_disk_leaves_the_old_file(tmp_path, name):
    """The disk is full after 40 KB: one line, the old file as it was, nothing beside it."""
    pytest.importorskip("resource")
    save(tmp_path / name, target("seq"), reference("seq"))
    before = (tmp_path / name).read_bytes()
    code = f"""
import resource, sys
import numpy as np
from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, save
layer = TargetLayer("big", "Dense", {{"kernel": (500, 500)}})
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    save({str(tmp_path / name)!r}, Target([layer]), {{"big": {{"kernel": np.ones((500, 500), np.float32)}}}})
except WeightsError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tmp_path / name}: not saved: File too large\n"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_a_link_stays_a_link_and_an_old_file_is_replaced(tmp_path):
    (tmp_path / "real.h5").write_bytes(b"old")
    (tmp_path / "link.h5").symlink_to(tmp_path / "real.h5")
    save(tmp_path / "link.h5", target("seq"), reference("seq"))
    assert (tmp_path / "link.h5").is_symlink()
    assert_weights_equal(load(tmp_path / "real.h5", target("seq")).weights, reference("seq"))
