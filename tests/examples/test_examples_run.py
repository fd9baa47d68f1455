"""The examples run as a reader runs them, each in a process of its own, and open as notebooks."""

import ast
import pathlib
import re
import runpy
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import models

FOLDER = pathlib.Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
BACKPROPAGATION, DIGITS, CIFAR10, SMALL_TRANSFER, CATS_VS_DOGS, TRANSFER, EXPLAINER = (
    next(FOLDER.glob(f"{number:02}_*.py")) for number in range(1, 8)
)


def start(script, *arguments, folder):
    """The running script; what it writes beside its output stays in `folder`."""
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(script, *arguments, folder):
    """(exit code, output, error output) of a script."""
    process = start(script, *arguments, folder=folder)
    out, error = process.communicate()
    return process.returncode, out, error


@pytest.fixture
def run_here(tmp_path, monkeypatch, capsys):
    """run(script, *arguments) in this process, for what ends before it has done anything."""

    def run_here(script, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return run_here


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


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with reddish cats and bluish dogs, 6 of each to train on and 4 to test on."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 4)):
        for name, channel in (("cats", 0), ("dogs", 2)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (40, 37, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(folder / split / name / f"{name}.{number}.jpg")
    return folder


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A file with the weights of a VGG16 that nobody has trained."""
    path = tmp_path_factory.mktemp("weights") / "base.h5"
    models.vgg16(include_top=False, input_shape=(32, 32, 3), seed=3).save_weights(path)
    return path


def test_one_convolution_by_hand(tmp_path):
    code, out, error = run(BACKPROPAGATION, folder=tmp_path)
    assert code == 0, error
    for line in (
        "[ 6  7  8 11 12 13 16 17 18]",  # the middle row of im2col
        "columns @ kernel equals the loops",
        "[3 6 9 6 3]",  # how often the pixels of the middle row are used
        "Conv2D gives the same y, dkernel and dx",
        "gradient check: 107 numbers changed",
        "the gradient is right to first order",
    ):
        assert line in out, line


@pytest.mark.parametrize("epochs, least", [(1, 0.6), pytest.param(6, 0.95, marks=pytest.mark.campaign)])
def test_digits_are_learned_and_the_page_is_written(tmp_path, epochs, least):
    page = tmp_path / "pages" / "digits.html"
    code, out, error = run(DIGITS, "--epochs", epochs, "--report", page, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert float(re.search(r"test accuracy ([\d.]+)", out).group(1)) >= least
    assert f"report: {page}" in out
    assert len(re.findall(r"^conv2d_\d .* not visited", out, re.MULTILINE)) == 4  # the second summary: frozen
    text = page.read_text()
    assert "Handwritten digits" in text and f"python examples/02_digits.py --epochs {epochs}" in text


def test_cifar10_from_a_folder(noise, tmp_path):
    code, out, error = run(CIFAR10, noise, "--epochs", 1, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert "cifar10: 300 training and 60 test images" in out
    assert re.search(r"test accuracy 0\.\d{4} on 60 photos after epoch 1", out)
    assert "the most common mistakes:" in out
    assert not list((tmp_path / "runs").iterdir())  # a finished run leaves no checkpoint


@pytest.mark.campaign
def test_cifar10_interrupted_and_taken_up_again(noise, tmp_path):
    arguments = (noise.parent, "--epochs", 4, "--images", 256)
    process = start(CIFAR10, *arguments, folder=tmp_path)
    checkpoint = tmp_path / "runs" / "03_cifar10-4-epochs-256-images.npz"
    deadline = time.monotonic() + 300
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "continue with: the same command" in error and "Traceback" not in error
    code, out, error = run(CIFAR10, *arguments, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert "continuing from runs" in out and "after epoch 4" in out
    assert "epoch 1/4" not in error  # it did not begin again
    assert not checkpoint.exists()


def test_cifar10_without_data_is_one_line_and_exit_code_2(tmp_path):
    code, out, error = run(CIFAR10, "nowhere", folder=tmp_path)
    assert code == 2 and not out
    assert "nowhere" in error and len(error.splitlines()) == 1


def every_state_is_shown(out):
    for state in ("trained", "frozen, gradient passes", "not visited"):
        assert re.search(rf"^block2_conv .* {state} ", out, re.MULTILINE), state


@pytest.mark.campaign
def test_the_transfer_on_digits_as_it_is(tmp_path):
    page = tmp_path / "pages" / "transfer.html"
    code, out, error = run(SMALL_TRANSFER, "--report", page, folder=tmp_path)
    assert code == 0, error[-2000:]
    every_state_is_shown(out)
    old, frozen, scratch, memorised, gently, careless = map(float, re.findall(r"\b[01]\.\d{4}\b", out)[:6])
    assert old >= 0.95 and frozen >= scratch + 0.2 and memorised >= scratch + 0.2 and gently >= careless + 0.05
    assert float(re.search(r"fine-tuning gains ([-\d.]+) on average", out).group(1)) >= 0.01
    assert f"report: {page}" in out
    assert "the network of the digits 0 to 4" in page.read_text()


def test_a_quick_look_at_the_transfer_on_digits(tmp_path):
    page = tmp_path / "pages" / "transfer.html"
    arguments = ("--images", 1, "--epochs", 1, "--seed", 1, "--report", page)
    code, out, error = run(SMALL_TRANSFER, *arguments, folder=tmp_path)
    assert code == 0, error[-2000:]
    every_state_is_shown(out)
    assert "the network of the digits 0 to 4" in page.read_text()
    assert "new: 5 images of the digits 5 to 9" in out


def test_cats_and_dogs_from_a_folder(photos, tmp_path):
    page = tmp_path / "pages" / "cats.html"
    code, out, error = run(CATS_VS_DOGS, photos, "--epochs", 1, "--images", 10, "--report", page, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert "cats_vs_dogs: 10 training and 8 test images of 150x150x3" in out
    assert re.search(r"validation accuracy [01]\.\d{4} on 8 photos after epoch 1", out)
    assert not list((tmp_path / "runs").glob("*.npz"))  # a finished run leaves no checkpoint
    assert "--epochs 1 --images 10" in page.read_text()


@pytest.mark.campaign
def test_transfer_learning_interrupted_in_its_second_phase(photos, untrained, tmp_path):
    """With a base that nobody has trained; what the second run prints and leaves is that of a whole one."""
    arguments = (untrained, photos, "--size", 32, "--images", 7, "--top-epochs", 2, "--all-epochs", 3)
    process = start(TRANSFER, *arguments, folder=tmp_path)
    folder = tmp_path / "runs" / "06_transfer_learning-32-pixels-7-photos"
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint-all.npz").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "continue with: the same command" in error and "Traceback" not in error
    code, out, error = run(TRANSFER, *arguments, folder=tmp_path)
    assert code == 0, error[-2000:]
    assert out.count("continuing from runs") == 2  # the first phase is over: nothing of it is done again
    assert "epoch 1/2:" not in error and "epoch 2/2:" not in error and "epoch 1/3:" not in error
    assert "cats_vs_dogs: 7 training and 7 test images of 32x32x3" in out
    assert "removed: flatten, fc1, fc2, predictions   new: dense_1, dense_2" in out
    assert "the fingerprints of all 13 base layers are those of the file" in out
    assert re.search(r"validation accuracy [01]\.\d{4} with the base frozen, [01]\.\d{4} after fine-tuning", out)
    assert {path.name for path in folder.iterdir()} == {"model.npz", "report.html"}
    text = (folder / "report.html").read_text()
    assert "base frozen" in text and "block 5 trained too" in text and "block5_pool" in text


MISTAKES = [
    (DIGITS, ["--epochs", "0"], "at least one epoch"),
    (CIFAR10, ["--epochs", "0"], "at least one epoch"),
    (SMALL_TRANSFER, ["--epochs", "0"], "at least one epoch"),
    (SMALL_TRANSFER, ["--images", "0"], "1 to 150 images"),
    (SMALL_TRANSFER, ["--images", "151"], "1 to 150 images"),
    (SMALL_TRANSFER, ["--seed", "-1"], "a seed of at least 0"),
    (CATS_VS_DOGS, ["--epochs", "0"], "at least one epoch"),
    (CATS_VS_DOGS, ["--images", "0"], "one image"),
    (TRANSFER, ["--top-epochs", "0"], "at least one epoch"),
    (TRANSFER, ["--all-epochs", "-1"], "none or more for all"),
    (TRANSFER, ["--images", "0"], "at least one image"),
]


@pytest.mark.parametrize(
    "script, arguments, message",
    MISTAKES,
    ids=[" ".join([script.stem, *arguments]) for script, arguments, _ in MISTAKES],
)
def test_a_number_out_of_range_is_a_mistake_and_exit_code_2(run_here, script, arguments, message):
    code, out, error = run_here(script, *arguments)
    assert code == 2 and not out
    assert message in error and "Traceback" not in error


MISSING = [
    (CATS_VS_DOGS, ["nowhere"], "nowhere"),
    (TRANSFER, ["nowhere.h5", "{photos}", "--size", "32"], "nowhere.h5"),
    (TRANSFER, ["{untrained}", "nowhere", "--size", "32"], "nowhere"),
    (TRANSFER, ["{untrained}", "{photos}", "--size", "20"], "at least 32x32"),
]


@pytest.mark.parametrize(
    "script, arguments, message", MISSING, ids=[" ".join([script.stem, *arguments]) for script, arguments, _ in MISSING]
)
def test_what_is_not_there_is_one_line_and_exit_code_2(photos, untrained, run_here, script, arguments, message):
    places = {"photos": photos, "untrained": untrained}
    code, out, error = run_here(script, *(argument.format(**places) for argument in arguments))
    assert code == 2 and not out
    assert message in error and len(error.splitlines()) == 1


def test_a_network_for_cnn_explainer(tmp_path):
    code, out, error = run(EXPLAINER, "--epochs", 1, "--out", tmp_path / "data", folder=tmp_path)
    assert code == 0, error
    assert "CNN Explainer computes what the network predicts" in out
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"nn_10.json", "model.json", "group1-shard1of1.bin"}


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
