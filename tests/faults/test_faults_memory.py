"""Under a limit on memory (`ulimit -v`) every command works, or ends with one line and exit code 2."""

import errno
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import checkpoint
from minitorch_cnn.cli import main
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.memory import is_lack_of_memory, room, too_little_memory
from minitorch_cnn.runs.continuing import kept

SMALL_TRAINING = [str(Path(__file__).with_name("small_training.py")), "none", "0", "0", "train", "--quiet", "--out"]
COMMAND = ["-m", "minitorch_cnn.cli"]
LIMITS = range(300, 701, 50)  # MB


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A finished run and an image in a folder."""
    folder = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, *SMALL_TRAINING, folder / "run"], check=True, capture_output=True)
    Image.fromarray(np.zeros((12, 10, 3), np.uint8)).save(folder / "image.png")
    return folder


def limited(arguments, megabytes):
    """(exit code, lines on the error output) of Python with a limit of so many MB."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1000 * 1024,) * 2)

    process = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, preexec_fn=limit)
    lines = process.stderr.splitlines()
    return process.returncode, [line for line in lines if not line.startswith("OpenBLAS ")]  # printed by C


MARKED = [pytest.param(size, marks=[pytest.mark.campaign] * (size % 200 != 100)) for size in LIMITS]


@pytest.mark.parametrize("megabytes", MARKED)
def test_a_command_works_or_says_why_not(inputs, tmp_path, megabytes):
    for arguments in (
        [*COMMAND, "--help"],
        [*COMMAND, "summary", "cifar10"],
        [*COMMAND, "explain", "--help"],
        [*COMMAND, "predict", inputs / "run", inputs / "image.png"],
        [*COMMAND, "summary", inputs / "run"],
        [*SMALL_TRAINING, tmp_path / "run"],
    ):
        code, lines = limited(arguments, megabytes)
        assert (code, lines) == (0, []) or (code == 2 and len(lines) == 1), (arguments, code, lines)


@pytest.mark.campaign
@pytest.mark.parametrize("megabytes", LIMITS)
def test_a_training_too_large_for_the_limit_says_so_and_keeps_its_settings(tmp_path, megabytes):
    code, lines = limited([*COMMAND, "train", "--batch-size", "1000", "--quiet", "--out", tmp_path / "run"], megabytes)
    assert code == 2 and len(lines) == 1
    assert "too little memory" in lines[0] and "the limit of this process (ulimit -v) leaves" in lines[0]
    assert f"no checkpoint yet; continue with: minitorch-cnn train --resume {tmp_path / 'run'}" in lines[0]


def test_a_checkpoint_that_there_is_no_memory_to_read_is_still_good(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, {("model", "a", "b"): np.zeros(3)}, {"epoch": 1, "batch": 2})
    assert kept([path]) == f"kept: {path}, epoch 2 after batch 2"

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(np, "frombuffer", no_memory)
    assert kept([path]) == f"kept: {path}"
    monkeypatch.undo()
    path.write_bytes(b"damaged")
    assert kept([path]) == "no good checkpoint"


LACKS = [
    MemoryError(),
    RuntimeError("can't start new thread"),
    ImportError("libscipy.so: failed to map segment from shared object"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError("Could not find/load shared object file 'libllvmlite.so'"),
]


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_each_form_of_a_lack_of_memory_is_one_line(monkeypatch, capsys, error):
    def run(*_, **__):
        raise error

    monkeypatch.setattr("minitorch_cnn.runs.start", run)
    assert main(["train"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("minitorch-cnn: too little memory") and len(said.splitlines()) == 1


def test_what_has_another_reason():
    for error in (RuntimeError("something else"), OSError(errno.ENOENT, "none"), DataError("photo.jpg: damaged")):
        assert not is_lack_of_memory(error)
    wrapped = RuntimeError("while compiling")
    wrapped.__cause__ = MemoryError()
    assert is_lack_of_memory(wrapped)
    assert room() is None and "ulimit" not in str(too_little_memory(wrapped))
