"""Every command on every kind of file: exit code 0, 1 or 2, one line, and nothing that a terminal would obey."""

import json
import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import Sequential, datasets, layers
from minitorch_cnn.cli import main
from minitorch_cnn.datasets.preprocessing import Standardize
from minitorch_cnn.runs import RunFolder
from minitorch_cnn.runs import explain as explain_module

FIXTURES = Path(__file__).parents[1] / "keras_h5" / "fixtures"
NAMES = ["a\x1b[2J", "b\n", "\u202ec"]

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no links and pipes")


def save(folder, stack, shape, names=None, preprocessing=None):
    folder.mkdir()
    model = Sequential(stack, shape, seed=0, preprocessing=preprocessing)
    count = max(2, math.prod(model.output_shape))
    RunFolder(folder).save_model(model, names or [f"c{number}" for number in range(count)])
    return str(folder)


def classifier(folder, shape, names=None, preprocessing=None):
    return save(folder, [layers.Flatten(), layers.Dense(3), layers.Softmax()], shape, names, preprocessing)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a photo, a run and everything that is no file; the current folder of these tests."""
    folder = tmp_path_factory.mktemp("strangers")
    Image.new("RGB", (20, 10), (250, 10, 10)).save(folder / "photo.png")
    Image.new("RGB", (20, 10)).save(folder / "na\x1b[2Jme\n.png")
    Image.new("RGB", (20, 10)).save(os.fsencode(folder) + b"/\xe9.png")
    classifier(folder / "run", (8, 8, 3), NAMES)
    (folder / "empty").write_bytes(b"")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    for name, target in (("zero", "/dev/zero"), ("broken", "nowhere"), ("circle", "circle")):
        (folder / name).symlink_to(target)
    return folder


ODD = [
    "empty", "folder", "pipe", "zero", "broken", "circle", "/dev/null", "photo.png", "na\x1b[2Jme\n.png", "no\x1b\n",
    "a\0b", "x" * 5000, os.fsdecode(b"\xe9.png"), "run", "run/model.npz", "", "-", "\u202egnp",
]  # fmt: skip
FILES = sorted(str(path) for path in FIXTURES.rglob("*") if path.is_file())


def commands(file):
    yield ["weights", "inspect", file]
    yield ["weights", "inspect", file, "--model", "tiny-vgg"]
    yield ["weights", "inspect", str(FIXTURES / "seq" / "tfk_legacy_weights.h5"), "--model", file]
    yield ["summary", file]
    yield ["explain", file]
    yield ["explain", "run", "photo.png", "--label", file]
    yield ["explain", "run", "photo.png", "--weights", file]
    yield ["explain", "run", file]
    yield ["export", file, "--cnn-explainer", "exported"]
    yield ["export", "tiny-vgg", "--weights", file, "--cnn-explainer", "exported"]
    yield ["predict", file, "photo.png"]
    yield ["predict", "run", "photo.png", file]
    yield ["train", "cats-vs-dogs", "--data", file, "--out", "out", "--quiet"]
    yield ["train", "--resume", file]
    yield ["fine-tune", "--resume", file]


def outcome(capsys, command):
    """(exit code, output, errors) of a command, once they have passed what is asked of every one."""
    try:
        code = main(command)
    except SystemExit as error:  # argparse
        code = error.code
    captured = capsys.readouterr()
    assert code in (0, 1, 2), command
    assert code != 2 or captured.err.count("\n") == 1 or captured.err.startswith("usage"), command
    for line in (captured.out + captured.err).split("\n"):
        assert line.isprintable(), command
    return code, captured.out, captured.err


some_files = [
    *ODD,
    *(pytest.param(file, marks=[pytest.mark.campaign] * (at % 30 > 0)) for at, file in enumerate(FILES)),
]


@pytest.mark.parametrize("file", some_files, ids=lambda file: ascii(file)[-40:])
def test_every_command_on_every_file(place, monkeypatch, capsys, file):
    monkeypatch.chdir(place)
    for command in commands(file):
        outcome(capsys, command)
        assert not Path("out").exists() or not list(Path("out").iterdir())


@pytest.mark.parametrize("name", ["model.npz", "config.json", "history.csv", "checkpoint.npz"])
@pytest.mark.parametrize("file", [name for name in ODD if name and "\0" not in name and len(name) < 100], ids=ascii)
def test_every_command_on_a_run_with_another_file_in_it(place, monkeypatch, capsys, tmp_path, name, file):
    monkeypatch.chdir(place)
    run = classifier(tmp_path / "run", (8, 8, 3))
    (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / name).symlink_to(os.path.abspath(file))
    for command in (["predict", run, "photo.png"], ["summary", run], ["explain", run, "photo.png"],
                    ["export", run, "--cnn-explainer", "exported"], ["train", "--resume", run]):  # fmt: skip
        outcome(capsys, command)


def test_files_that_may_not_be_read(place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(place)
    for name in ("photo.png", "run/model.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((place / name).read_bytes())
        (tmp_path / name).chmod(0)
    if os.access(tmp_path / "photo.png", os.R_OK):
        pytest.skip("this user may read every file")
    assert (
        "photo.png: cannot be read (permission denied)"
        in outcome(capsys, ["predict", "run", str(tmp_path / "photo.png")])[2]
    )
    for file in ("photo.png", "run", "run/model.npz"):
        for command in commands(str(tmp_path / file)):
            outcome(capsys, command)


@pytest.mark.parametrize("path", ["a\0b/page.html", "photo.png/page.html", "folder", "/dev/null/x", "x" * 300])
def test_pages_that_cannot_be_written(place, monkeypatch, capsys, path):
    monkeypatch.chdir(place)
    code, _, error = outcome(capsys, ["explain", "run", "photo.png", "--page", path])
    assert code == 2 and error.startswith("minitorch-cnn: ")


def test_names_reach_neither_terminal_nor_page_as_they_are(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    page = place / "page\x1b[2J.html"
    code, out, _ = outcome(capsys, ["explain", "run", "na\x1b[2Jme\n.png", "--page", str(page)])
    assert code == 0 and "page\\x1b[2J.html" in out
    text = page.read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e"} & set(text) and "na\\x1b[2Jme" in text
    weights = place / "we\x1b[2Jights.h5"
    weights.write_bytes((FIXTURES / "seq" / "tfk_legacy_weights.h5").read_bytes())
    assert "we\\x1b[2Jights.h5: weights" in outcome(capsys, ["weights", "inspect", str(weights)])[1]


def test_odd_descriptions_in_an_image_are_no_news(place):
    """Pillow warns about each of these tags, whose values all lie in the same bytes."""
    tags = b"".join(struct.pack("<HHII", 256 + tag, 1, 1000, 8) for tag in range(50))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 50) + tags + bytes(1000)
    Image.new("RGB", (20, 10)).save(place / "odd.jpg", exif=exif)
    command = [sys.executable, "-m", "minitorch_cnn.cli", "predict", "run", "odd.jpg"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=place)
    assert result.returncode == 0 and result.stderr == "" and result.stdout.count("\n") == 1


def test_numbers_of_ten_thousand_digits(place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(place)
    (tmp_path / "config.json").write_text('{"settings": {"epochs": ' + "9" * 10_000 + "}}")
    for command in (["train", "--resume", str(tmp_path)], ["fine-tune", "--resume", str(tmp_path)]):
        assert outcome(capsys, command)[0] == 2
    settings = {
        "dataset": "digits",
        "data": None,
        "epochs": int("9" * 400),
        "batch_size": 1,
        "learning_rate": 1,
        "seed": 0,
    }
    (tmp_path / "config.json").write_text(json.dumps({"settings": settings}))
    assert "epochs" in outcome(capsys, ["train", "--resume", str(tmp_path)])[2]


# Models that do not take images, or do not name classes.


def test_a_model_whose_input_is_no_image(place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(place)
    flat = save(tmp_path / "flat", [layers.Dense(3), layers.Softmax()], (12,))
    four = classifier(tmp_path / "four", (8, 8, 4))
    for run, shape in ((flat, "(12,)"), (four, "(8, 8, 4)")):
        for command in (["predict", run, "photo.png"], ["explain", run], ["explain", run, "photo.png"]):
            code, _, error = outcome(capsys, command)
            assert code == 2 and f"{run}: its input is {shape}, expected (H, W, 3) or (H, W, 1)" in error
    assert outcome(capsys, ["summary", flat])[0] == 0


def test_a_model_whose_output_is_a_feature_map(place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(place)
    run = save(tmp_path / "map", [layers.Conv2D(2, 3), layers.ReLU()], (8, 8, 3))
    code, _, error = outcome(capsys, ["predict", run, "photo.png"])
    assert code == 2 and f"{run}: its output is (6, 6, 2), expected (classes,)" in error
    code, out, _ = outcome(capsys, ["explain", run, "photo.png"])
    assert code == 0 and "The output is a feature map" in out


def test_a_grey_model_reads_images_as_grey(place, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(place)
    run = classifier(tmp_path / "grey", (8, 8, 1), preprocessing=Standardize([100], [50]))
    Image.new("L", (20, 10), 82).save(tmp_path / "grey.png")
    model, names = RunFolder(run).load_model()
    expected = model.predict(np.full((1, 8, 8, 1), 82, np.uint8))[0]
    code, out, _ = outcome(capsys, ["predict", run, str(tmp_path / "grey.png")])
    assert code == 0 and out == f"{names[expected.argmax()]}, {expected.max():.2f}\n"
    assert outcome(capsys, ["predict", run, "photo.png"])[1] == out  # 0.299 * 250 + 0.587 * 10 + 0.114 * 10 = 82
    for command in (["explain", run], ["explain", run, "photo.png"]):
        assert outcome(capsys, command)[0] == 0


def test_photos_are_explained_without_loading_the_digits(place, monkeypatch):
    monkeypatch.chdir(place)

    def refuse():
        raise AssertionError("the digits were loaded")

    monkeypatch.setattr(datasets, "digits", refuse)
    subject, _ = explain_module.explain("run", ["photo.png"])
    assert subject.images.shape == (1, 8, 8, 3)


def test_digits_are_scaled_for_a_model_of_other_images(place, monkeypatch, tmp_path):
    stack = [layers.Flatten(), layers.Dense(10), layers.Softmax()]
    run = save(tmp_path / "digits", stack, (8, 8, 3), [str(number) for number in range(10)])
    subject, _ = explain_module.explain(run)
    assert subject.images.shape[1:] == (8, 8, 3)
