"""Every file that Keras itself wrote, and every legal but unusual one, gives the reference weights bit for bit."""

import subprocess
import sys
import tracemalloc

import h5py
import numpy as np
import pytest
from keras_models import MODELS, all_weights
from keras_targets import FIXTURES, assert_weights_equal, reference, target

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import load, read
from minitorch_cnn.keras_h5.hdf5 import Group, Window, open_hdf5
from minitorch_cnn.keras_h5.hdf5.chunks import FLETCHER_BLOCK, fletcher_sums

HALF = {"dtype_float16.h5": 1e-3, "k3_float16.weights.h5": 1e-3, "k3_float16_model.h5": 1e-3,
        "k3_bfloat16.weights.h5": 8e-3, "k3_bfloat16_model.h5": 8e-3}  # fmt: skip
OTHER_MODELS = ("tfk_153_layers.h5", "tfk_chunked_layer_names.h5")


def files(*folders):
    return sorted(
        path
        for folder in folders
        for path in (FIXTURES / folder).iterdir()
        if path.suffix != ".npz" and path.suffix != ".json" and path.name not in OTHER_MODELS
    )


def by_folder(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", files("seq", "nested", "keras1", "special"), ids=by_folder)
def test_reference_weights(path):
    model = "nested" if path.parent.name == "nested" else "seq"
    kernels = "theano" if path.name == "keras0_nb_layers_theano.h5" else None
    loaded = load(path, target(model), kernels=kernels)
    assert_weights_equal(loaded.weights, reference(model), HALF.get(path.name, 0.0))
    assert loaded.skipped == []


UNKNOWN_ORDER = "tf_keras_inside_and_outside_v3.weights.h5"  # its own test is in test_keras_matching


@pytest.mark.parametrize("path", [p for p in files("made_by_keras") if p.name != UNKNOWN_ORDER], ids=by_folder)
def test_nested_frozen_and_normalized_models(path):
    model = max((name for name in MODELS if name in path.name), key=len)
    assert_weights_equal(load(path, target(model)).weights, all_weights(model))


@pytest.mark.parametrize("path", files("saved"), ids=by_folder)
def test_own_files(path):
    model = path.name.split(".")[0]
    expected = reference(model) if model in ("seq", "nested") else all_weights(model)
    assert_weights_equal(load(path, target(model)).weights, expected)


def test_many_layers_and_lists_in_parts():
    many = read(FIXTURES / "special" / "tfk_153_layers.h5")
    parts = read(FIXTURES / "special" / "tfk_chunked_layer_names.h5")
    with h5py.File(FIXTURES / "special" / "tfk_153_layers.h5") as file:
        assert list(many) == ["dense", "dense_1"]
        np.testing.assert_array_equal(many["dense"]["kernel"], file["dense/dense/kernel:0"][()])
    assert [(name[:9], len(name), list(arrays)) for name, arrays in parts.items()] == [
        ("layer_00_", 3909, ["kernel", "bias"]),
        ("layer_17_", 3909, ["kernel", "bias"]),
    ]


def test_without_a_model_the_names_are_the_file_s():
    weights = read(FIXTURES / "nested" / "tfk_model.h5")
    assert list(weights) == [
        "block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "fc1", "predictions",
    ]  # fmt: skip
    assert_weights_equal(weights, reference("nested"))


def test_with_a_model_read_gives_what_load_gives():
    path = FIXTURES / "keras1" / "keras1_tensorflow_th.h5"
    assert_weights_equal(read(path, target("seq")), reference("seq"))


def test_double_precision_on_request():
    weights = load(FIXTURES / "special" / "dtype_float64.h5", target("seq"), dtype="float64").weights
    assert {array.dtype.name for layer in weights.values() for array in layer.values()} == {"float64"}


def test_reading_needs_neither_keras_nor_h5py():
    code = (
        "import sys; from minitorch_cnn.keras_h5 import read; read(sys.argv[1]);"
        "assert not {'h5py', 'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, FIXTURES / "seq" / "k3_model.h5"], check=True)


def every_object(group, prefix=""):
    for name in group.names():
        node = group.file.node(group._all_links()[name].address)
        yield prefix + name, node
        if isinstance(node, Group):
            yield from every_object(node, f"{prefix}{name}/")


@pytest.mark.parametrize(
    "path",
    [p for p in files("seq", "nested", "keras1", "special") if p.suffix == ".h5"]
    + [FIXTURES / "special" / name for name in OTHER_MODELS],
    ids=by_folder,
)
def test_reader_agrees_with_the_hdf5_library(path):
    with open(path, "rb", buffering=0) as raw, h5py.File(path) as library:
        file = open_hdf5(Window(raw, 0, path.stat().st_size))
        ours = dict(every_object(file.root))
        theirs = {}
        library.visititems(lambda name, node: theirs.update({name: node}))
        assert set(ours) == set(theirs)
        for name, node in theirs.items():
            assert set(ours[name].attribute_names()) == set(node.attrs)
            if isinstance(node, h5py.Dataset) and node.dtype.kind == "f":
                np.testing.assert_array_equal(ours[name].read(), node[()])
            for key in ("layer_names", "weight_names", "name", "backend"):
                if key in node.attrs:
                    assert ours[name].texts(key) == texts(node.attrs[key])


@pytest.mark.parametrize("version", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize("track_order", [False, True])
@pytest.mark.parametrize("count", [1, 9, 400])
def test_reader_agrees_on_every_storage_of_links_and_attributes(tmp_path, version, track_order, count):
    """Few and many links and attributes, in both kinds of groups; trees of one level and of several."""
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=version, track_order=track_order) as file:
        group = file.create_group("group", track_order=track_order)
        for k in range(count):
            group.create_group(f"layer_{k}_{'n' * (k % 50)}")
            group.attrs[f"attribute_{k}"] = f"value {k} " + "v" * (k % 30)
        group["empty"] = np.zeros((0, 3), np.float32)
        group["number"] = np.float32(1.5)
    with open(path, "rb", buffering=0) as raw:
        group = open_hdf5(Window(raw, 0, path.stat().st_size)).root.group("group")
        assert set(group.names()) == {f"layer_{k}_{'n' * (k % 50)}" for k in range(count)} | {"empty", "number"}
        assert all(group.group(name).names() == [] for name in group.names() if name.startswith("layer"))
        for k in range(count):
            assert group.text(f"attribute_{k}") == f"value {k} " + "v" * (k % 30)
        assert group.dataset("empty").read().shape == (0, 3)
        assert group.dataset("number").read() == np.float32(1.5)


@pytest.mark.parametrize(
    "settings",
    [
        {"chunks": (5, 7)},
        {"chunks": (37, 1), "compression": "gzip"},
        {"chunks": (1, 23), "compression": "gzip", "shuffle": True},
        {"chunks": (10, 10), "shuffle": True, "fletcher32": True, "compression": "gzip", "compression_opts": 9},
        {"chunks": (37, 23), "fletcher32": True},
        {"chunks": (2, 2), "maxshape": (None, 23)},
    ],
)
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", ">f8"])
def test_reader_agrees_on_every_kind_of_chunk(tmp_path, settings, dtype):
    values = np.random.default_rng(0).normal(size=(37, 23)).astype(dtype)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=values, **settings)
    with open(tmp_path / "x.h5", "rb", buffering=0) as raw:
        file = open_hdf5(Window(raw, 0, (tmp_path / "x.h5").stat().st_size))
        np.testing.assert_array_equal(file.root.dataset("x").read(), values)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 1000, 2 * FLETCHER_BLOCK, 2 * FLETCHER_BLOCK + 1, 600_001])
def test_fletcher_s_sums_are_those_of_the_definition(length):
    data = np.random.default_rng(length).integers(0, 256, length).astype(np.uint8).tobytes()
    first = second = 0
    for k in range(0, length, 2):
        first = (first + (data[k] << 8) + (data[k + 1] if k + 1 < length else 0)) % 65535
        second = (second + first) % 65535
    assert fletcher_sums(data) == (first, second)


@pytest.mark.parametrize("settings", [{"fletcher32": True}, {"shuffle": True, "compression": "gzip"}], ids=str)
def test_one_large_chunk(tmp_path, settings):
    """Its checksum would leave 64 bits if it were added up in one go; reading takes few times its size."""
    values = np.full((1 << 24, 1), np.finfo(np.float32).max)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, **settings)
    with open(tmp_path / "x.h5", "rb", buffering=0) as raw:
        dataset = open_hdf5(Window(raw, 0, (tmp_path / "x.h5").stat().st_size)).root.dataset("x")
        tracemalloc.start()
        try:
            array = dataset.read()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert np.array_equal(array, values)
    assert peak < 3.5 * array.nbytes


def test_chunks_of_the_newest_layout_are_refused_by_name(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file.attrs["layer_names"] = np.array([b"dense"])
        file.create_group("dense").attrs["weight_names"] = np.array([b"kernel"])
        file.create_dataset("dense/kernel", data=np.ones((4, 4), "f4"), chunks=(2, 2))
    with pytest.raises(WeightsError, match="chunks in the layout of HDF5 1"):
        read(tmp_path / "x.h5")


def texts(value):
    values = [value] if isinstance(value, (str, bytes)) else list(value)
    return [text.decode() if isinstance(text, bytes) else text for text in values]
