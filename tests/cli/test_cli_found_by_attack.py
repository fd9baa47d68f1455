"""Files and arguments with which an attack broke a promise of SECURITY.md; each is one line now."""

import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
from model_limits import KINDS  # noqa: F401  (makes tests/fuzz importable)
from watching import Memory, time_limit

from minitorch_cnn import checkpoint
from minitorch_cnn.cli import main
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.report.transfer_training import HISTORY_KEYS, read_history
from minitorch_cnn.runs import RunFolder


def npz(path, entries):
    """A zip of members as they are given, {name: bytes}, with right checksums."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)


def member(header, data=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def plain(array):
    shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
    return member(f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': ({shape}), }}\n", array.tobytes())


def described(path, facts, keys=(), **entries):
    text = json.dumps({"format": 2, "keys": list(keys), "facts": facts}).encode()
    npz(path, {"description": plain(np.frombuffer(text, np.uint8)), **entries})


HEADERS = {
    "numbers of Python 2": "{'descr': '|u1', 'fortran_order': False, 'shape': (1L,), }\n",
    "a shape given twice": "{'descr': '|u1', 'shape': (" + "1, " * 600 + "), 'fortran_order': False, 'shape': (1,)}\n",
    "33 axes": "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1, " * 33 + "), }\n",
    "records": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
    "an expression": "{'descr': '|u1', 'fortran_order': False, 'shape': (1+0,), }\n",
    "nothing": "",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_numpy_does_not_write(tmp_path, name, recwarn):
    described(tmp_path / "model.npz", {}, **{str(n): member(HEADERS[name], b"x") for n in range(300)})
    with time_limit(), pytest.raises(CheckpointError, match=r"not a readable checkpoint \(.*(header|32 axes)"):
        RunFolder(tmp_path).load_model()
    assert not recwarn.list


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (1, 2, 3, 4)])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", "|u1", "<i8", "|b1"])
def test_what_numpy_writes_is_read(tmp_path, shape, dtype):
    array = np.arange(max(1, int(np.prod(shape)))).astype(dtype)[: int(np.prod(shape))].reshape(shape)
    checkpoint.save(tmp_path / "c.npz", {("a",): array, ("b",): array.copy(order="F")}, {})
    arrays, _ = checkpoint.load(tmp_path / "c.npz")
    for got in arrays.values():
        assert got.dtype == array.dtype and got.shape == array.shape
        np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("stored, dtype", [("u1", "float64"), ("?", "float32"), ("f4", "float64"), ("f8", "float32")])
def test_weights_of_another_type_than_the_model(tmp_path, stored, dtype):
    layers = [{"class": "Dense", "name": "d", "units": 3, "use_bias": False}]
    model = {"input_shape": [4], "seed": 0, "dtype": dtype, "preprocessing": None, "layers": layers}
    facts = {"model": model, "class_names": ["a", "b", "c"]}
    checkpoint.save(tmp_path / "model.npz", {("d", "kernel"): np.ones((4, 3), stored)}, facts)
    with pytest.raises(CheckpointError, match=f"not of the model's dtype, {dtype}"):
        RunFolder(tmp_path).load_model()


def test_a_history_of_a_hundred_thousand_columns(tmp_path):
    names = [*HISTORY_KEYS, *(f"a{number}" for number in range(100_000))]
    (tmp_path / "history.csv").write_text(",".join(names) + "\n" + "1\n" * 2000)
    memory = Memory()
    with memory.measured(), time_limit(), pytest.raises(CheckpointError, match="a row is too short"):
        read_history(tmp_path)
    assert memory.mib < 100


def test_a_history_is_read_by_its_columns(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,other,accuracy\n1,0.5,x,0.25\n\n2,0.25,y,0.5\n")
    assert read_history(tmp_path) == {"loss": [0.5, 0.25], "accuracy": [0.25, 0.5]}
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    assert read_history(tmp_path) == {}


def test_json_that_becomes_large_in_memory(tmp_path):
    described(tmp_path / "model.npz", {"x": [[]] * 1_500_000})
    (tmp_path / "config.json").write_text('{"settings": {"x": [' + "{}," * 1_500_000 + "0]}}")
    memory = Memory()
    with memory.measured():
        with pytest.raises(CheckpointError, match="a description of at most 4,194,304 bytes"):
            RunFolder(tmp_path).load_model()
        assert main(["train", "--resume", str(tmp_path)]) == 2
    assert memory.mib < 100


@pytest.mark.parametrize("command", [["summary", "r1"], ["twins"], []])
def test_an_argument_with_escape_codes(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "\x1b[2J\u202ex"])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and "\x1b" not in said and "\u202e" not in said and "\\x1b[2J" in said


def test_the_checksum_is_compared_all_the_same(tmp_path):
    checkpoint.save(tmp_path / "c.npz", {("a",): np.arange(50.0)}, {})
    data = bytearray((tmp_path / "c.npz").read_bytes())
    place = data.rfind(np.arange(50.0).tobytes())
    data[place + 9] ^= 1
    assert zlib.crc32(data) and place > 0
    (tmp_path / "c.npz").write_bytes(data)
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        checkpoint.load(tmp_path / "c.npz")
