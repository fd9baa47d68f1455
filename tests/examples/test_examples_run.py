"""The examples run as a reader runs them, each in a process of its own, and open as notebooks."""

import ast
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
BACKPROPAGATION, DIGITS, CIFAR10 = (next(FOLDER.glob(f"{number}_*.py")) for number in ("01", "02", "03"))


def start(script, *arguments, folder):
    """The running script; what it writes beside its output stays in `folder`."""
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(script, *arguments, folder):
    """(exit code, output, error output) of a script."""
    process = start(script, *arguments, folder=folder)
    out, error = process.communicate()
    return process.returncode, out, error


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A folder like CIFAR-10's with 60 images of noise in each file."""
    folder = tmp_path_factory.mktemp("data") / "cifar-10-batches-bin"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        records = rng.integers(0, 256, (60, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(60) % 10
        records.tofile(folder / name)
    return folder


def test_one_convolution_by_hand(tmp_path):
    code, out, error = run(BACKPROPAGATION, folder=tmp_path)
    assert code == 0, error
    for line in (
        "[ 6  7  8 11 12 13 16 17 18]",  # the middle row of im2col
        "columns @ kernel equals the loops",
        "[3 6 9 6 3]",  # how often the pixels of the middle row are used
        "Conv2D gives the same y, dkernel and dx",
        "gradient check: 107 numbers moved",
        "the gradient is right to first order",
    ):
        assert line in out, line


def test_digits_are_learned_and_the_page_is_written(tmp_path):
    page = tmp_path / "pages" / "digits.html"
    code, out, error = run(DIGITS, "--epochs", 6, "--report", page, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert float(re.search(r"test accuracy ([\d.]+)", out).group(1)) >= 0.95
    assert f"report: {page}" in out
    assert len(re.findall(r"^conv2d_\d .* not visited", out, re.MULTILINE)) == 4  # the second summary: frozen
    text = page.read_text()
    assert "Handwritten digits" in text and "python examples/02_digits.py --epochs 6" in text


def test_cifar10_from_a_folder(noise, tmp_path):
    code, out, error = run(CIFAR10, noise, "--epochs", 1, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert "cifar10: 300 training and 60 test images" in out
    assert re.search(r"test accuracy 0\.\d{4} on 60 photos after epoch 1", out)
    assert "the commonest mistakes:" in out
    assert not list((tmp_path / "runs").iterdir())  # a finished run leaves no checkpoint


def test_cifar10_interrupted_and_taken_up_again(noise, tmp_path):
    arguments = (noise.parent, "--epochs", 8, "--images", 256)
    process = start(CIFAR10, *arguments, folder=tmp_path)
    checkpoint = tmp_path / "runs" / "03_cifar10-8-epochs-256-images.npz"
    deadline = time.monotonic() + 300
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "go on with: the same command" in error and "Traceback" not in error
    code, out, error = run(CIFAR10, *arguments, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert "going on from runs" in out and "after epoch 8" in out
    assert "epoch 1/8" not in error  # it did not begin again
    assert not checkpoint.exists()


def test_cifar10_without_data_is_one_line_and_exit_code_2(tmp_path):
    code, out, error = run(CIFAR10, "nowhere", folder=tmp_path)
    assert code == 2 and not out
    assert "nowhere" in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("script", [DIGITS, CIFAR10], ids=lambda script: script.stem)
def test_no_epochs_is_a_mistake_and_exit_code_2(tmp_path, script):
    code, _, error = run(script, "--epochs", 0, folder=tmp_path)
    assert code == 2
    assert "at least one epoch" in error and "Traceback" not in error


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_is_a_row_of_cells(script):
    text = script.read_text()
    assert text.startswith("# %% [markdown]\n# # ")
    marks = re.findall(r"^# %%.*$", text, re.MULTILINE)
    assert set(marks) == {"# %%", "# %% [markdown]"}
    for mark, cell in zip(marks, re.split(r"^# %%.*$", text, flags=re.MULTILINE)[1:]):
        lines = [line for line in cell.splitlines() if line]
        if mark == "# %%":
            assert ast.parse(cell).body, cell  # whole statements: a cell runs on its own
        else:
            assert lines and all(line.startswith("#") for line in lines), cell


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_has_no_path_of_one_machine(script):
    strings = [node.value for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.Constant)]
    assert not [value for value in strings if isinstance(value, str) and value.startswith(("/", "~"))]


def test_the_readme_names_every_script():
    table = (FOLDER / "README.md").read_text()
    for script in SCRIPTS:
        assert f"]({script.name})" in table
