"""What a path may lead to besides a weight file, and what is said of it."""

import io
import json
import os
import zipfile

import h5py
import numpy as np
import pytest
from keras_targets import FIXTURES, assert_weights_equal, reference, target

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5 import Target, TargetLayer, inspect, load, save

KERAS = FIXTURES / "seq" / "tfk_model.keras"
H5 = FIXTURES / "seq" / "tfk_model.h5"


def archive(members, compression=zipfile.ZIP_STORED):
    """A zip archive as bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return stream.getvalue()


def members(*leave_out):
    with zipfile.ZipFile(KERAS) as file:
        return [(name, file.read(name)) for name in file.namelist() if name not in leave_out]


def npz():
    stream = io.BytesIO()
    np.savez(stream, kernel=np.ones(3))
    return stream.getvalue()


OTHER_CONTENTS = {
    "web page": (b"\n<!DOCTYPE html><html>404 Not Found</html>", "it is a web page or XML, not weights"),
    "page": (b"<html><body>Please sign in</body></html>", "it is a web page or XML, not weights"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(40), "gzip-compressed"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(40), "NumPy array"),
    "pickle": (b"\x80\x04\x95" + bytes(40), "pickle"),
    "checkpoint": (b'model_checkpoint_path: "model"\n', "TensorFlow checkpoint"),
    "index": (bytes(200) + bytes.fromhex("57fb808b247547db"), "TensorFlow checkpoint"),
    "sharded": (b'{"metadata": {}, "weight_map": {"/layers/dense/vars": ["x_00000.weights.h5"]}}', "sharded Keras 3"),
    "json": (b'{"class_name": "Sequential"}', "it is JSON"),
    "noise": (bytes(range(1, 200)), "it is not an HDF5 file"),
    "empty": (b"", "the file is empty"),
    "short": (b"\x89HDF\r\n\x1a\n", "the file is damaged"),
    "npz": (npz(), "NumPy archive"),
    "keras npz": (archive([("config.json", "{}"), ("model.weights.npz", npz())]), "with its weights in .npz"),
    "pytorch": (archive([("model/data.pkl", "x")]), "PyTorch"),
    "any zip": (archive([("readme.txt", "x")]), "zip archive without model.weights.h5"),
    "zip of noise": (archive([("model.weights.h5", bytes(999))]), "model.weights.h5 in the zip archive is not an HDF5"),
    "half a zip": (KERAS.read_bytes()[:20000], "the download is incomplete"),
    "half a file": (H5.read_bytes()[:20000], "the download is incomplete: have 20,000 of 46,952 bytes"),
}


@pytest.mark.parametrize("name", OTHER_CONTENTS)
def test_other_contents_are_named(tmp_path, name):
    content, message = OTHER_CONTENTS[name]
    path = tmp_path / "vgg16_weights.h5"
    path.write_bytes(content)
    for use in (lambda: load(path, target("seq")), lambda: inspect(path)):
        with pytest.raises(WeightsError) as error:
            use()
        assert message in str(error.value)
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)


def test_a_checkpoint_s_data_is_known_by_its_name(tmp_path):
    path = tmp_path / "model.data-00000-of-00001"
    path.write_bytes(bytes(100))
    with pytest.raises(WeightsError, match="TensorFlow checkpoint"):
        load(path, target("seq"))


def test_a_checkpoint_is_asked_for_by_its_prefix(tmp_path):
    (tmp_path / "model.index").write_bytes(b"x")
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"no such file; model.index exists: .* TensorFlow checkpoint"):
        load(tmp_path / "model", target("seq"))


def test_a_flipped_bit_in_an_archive_s_weights_is_found(tmp_path):
    data = bytearray(KERAS.read_bytes())
    data[data.find(reference("seq")["dense"]["kernel"].tobytes()) + 6] ^= 1
    (tmp_path / "x.keras").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "x.keras") as file:
        assert file.testzip() == "model.weights.h5"
    with pytest.raises(WeightsError, match=r"damaged: model\.weights\.h5 in the zip archive has a wrong checksum"):
        load(tmp_path / "x.keras", target("seq"))


def test_an_archive_that_is_compressed_and_larger_than_a_step(tmp_path):
    weights = {"big": {"kernel": np.random.default_rng(0).integers(0, 9, (700, 1000)).astype(np.float32)}}
    model = Target([TargetLayer("big", "Dense", {"kernel": (700, 1000)})])
    save(tmp_path / "x.weights.h5", model, weights)
    content = archive([("model.weights.h5", (tmp_path / "x.weights.h5").read_bytes())], zipfile.ZIP_DEFLATED)
    assert len(content) < 1_500_000 < (tmp_path / "x.weights.h5").stat().st_size
    (tmp_path / "x.keras").write_bytes(content)
    assert_weights_equal(load(tmp_path / "x.keras", model).weights, weights)


def test_a_model_of_a_class_of_its_own_is_named(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        file["conv1/vars/0"] = np.ones((3, 3, 3, 4), np.float32)
        file.create_group("vars")
    with pytest.raises(WeightsError, match=r"the attributes \(conv1\) of a subclassed model"):
        load(tmp_path / "x.weights.h5", target("seq"))


def test_no_file_a_folder_and_a_pipe(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.h5")
    for path, message in [
        (tmp_path / "absent.h5", "no such file"),
        (tmp_path, r"it is a folder \(TensorFlow SavedModel\)"),
        (tmp_path / "pipe.h5", "not a regular file"),
        (tmp_path / "a\0b.h5", "null"),
    ]:
        with pytest.raises(WeightsError, match=message):
            load(path, target("seq"))


@pytest.mark.parametrize(
    ("source", "name"),
    [(KERAS, "x.h5"), (KERAS, "x.weights.h5"), (H5, "x.keras"), (H5, "x"), (FIXTURES / "seq" / "k3.weights.h5", "x.h5"),
     (FIXTURES / "seq" / "tfk_legacy_weights.h5", "x.weights.h5")],
)  # fmt: skip
def test_the_name_of_a_file_decides_nothing(tmp_path, source, name):
    (tmp_path / name).write_bytes(source.read_bytes())
    assert_weights_equal(load(str(tmp_path / name), target("seq")).weights, reference("seq"))


@pytest.mark.parametrize(
    "content",
    [
        archive(members(), zipfile.ZIP_DEFLATED),
        archive(members("config.json")),
        archive([*members("config.json"), ("config.json", "[" * 100_000)]),
        archive([*members("config.json"), ("config.json", '{"a": ' + "9" * 1_000_000 + "}")]),
        archive([*members("config.json"), ("config.json", json.dumps({"class_name": "Sequential", "config": []}))]),
        archive([*members("config.json"), ("config.json", b"\xff\xfe")]),
        archive([*members("metadata.json"), ("metadata.json", "[1, 2]")]),
        KERAS.read_bytes() + b"",
    ],
    ids=["compressed", "no config", "deep", "long number", "no layers", "not text", "other metadata", "as it was"],
)
def test_archives_are_read_whatever_their_description(tmp_path, content):
    (tmp_path / "x.keras").write_bytes(content)
    assert_weights_equal(load(tmp_path / "x.keras", target("seq")).weights, reference("seq"))


def test_nothing_is_left_behind(tmp_path):
    path = tmp_path / "x.keras"
    path.write_bytes((FIXTURES / "hostile" / "zip_slip.keras").read_bytes())
    load(path, target("seq"))
    assert [entry.name for entry in tmp_path.rglob("*")] == ["x.keras"]
