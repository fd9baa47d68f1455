"""`minitorch-cnn predict` on folders and many files, with good ones and bad ones among them."""

import csv

import numpy as np
import pytest
from minitorch_cnn.layers import Conv2D, Dense, GlobalAveragePool2D
from minitorch_cnn.preprocessing import Unit
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn.cli import main
from minitorch_cnn.datasets import load_image
from minitorch_cnn.runs import RunFolder

NAMES = ["ant", "bee, wild", "cow", "a very long name"]
SHAPE = (9, 7, 3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with a small network of four classes that nobody trained."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    stack = [Conv2D(5, 3, activation="relu"), GlobalAveragePool2D(), Dense(4, activation="softmax")]
    model = mtc.Sequential(stack, SHAPE, seed=1, preprocessing=Unit())
    folder.path.mkdir()
    folder.save_model(model, NAMES)
    return folder


@pytest.fixture
def photos(tmp_path):
    """Five images in a folder and in folders inside it, a damaged one, and a file that is no image."""
    rng = np.random.default_rng(0)
    for name in ("1.png", "2.JPG", "deep/er/3.png", "deep/4.png", "line\nbreak.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name, format="PNG")
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (tmp_path / "photos" / "notes.txt").write_text("")
    (tmp_path / "photos" / ".hidden.png").write_text("")
    return tmp_path / "photos"


def answers(run, paths, flips=False):
    model, _ = run.load_model()
    pixels = np.stack([load_image(path, *SHAPE[:2]) for path in paths])
    found = model.predict(pixels)
    return (found + model.predict(pixels[:, :, ::-1].copy())) / 2 if flips else found


def test_good_files_are_answered_and_bad_ones_are_named(run, photos, capsys):
    assert main(["predict", str(run.path), str(photos), "nowhere.png"]) == 2
    said = capsys.readouterr()
    header, *lines = said.out.splitlines()
    found = [photos / name for name in ("1.png", "2.JPG", "line\nbreak.png", "deep/4.png", "deep/er/3.png")]
    assert header.split() == ["image", "class", "probability"]
    assert [line.split("  ")[0] for line in lines] == [str(path).replace("\n", "\\n") for path in found]
    for line, answer in zip(lines, answers(run, found)):
        assert NAMES[answer.argmax()] in line and line.endswith(f"{answer.max():.2f}")
    errors = said.err.splitlines()
    assert len(errors) == 3
    assert errors[0] == f"minitorch-cnn: {photos}: left out, as their names do not end like those of images: 1"
    assert "bad.png" in errors[1] and "nowhere.png" in errors[2]


@pytest.mark.parametrize("flips", [False, True])
def test_a_csv_file_of_the_best_classes(run, photos, tmp_path, capsys, flips):
    table = tmp_path / "new" / "table.csv"
    good = [photos / "1.png", photos / "deep" / "4.png"]
    options = ["--flips"] if flips else []
    assert main(["predict", str(run.path), *map(str, good), "--top", "3", "--csv", str(table), *options]) == 0
    with open(table, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["image", "class_1", "probability_1", "class_2", "probability_2", "class_3", "probability_3"]
    printed = capsys.readouterr().out
    for row, path, answer in zip(rows, good, answers(run, good, flips)):
        order = np.argsort(-answer)[:3]
        assert row[0] == str(path) and row[1::2] == [NAMES[number] for number in order]
        np.testing.assert_allclose([float(value) for value in row[2::2]], answer[order], atol=1e-5)
        assert all(f"{value:.2f}" in printed for value in answer[order])
    assert len(rows) == 2


def test_the_mirror_image_gets_the_same_answer_with_flips(run, photos, tmp_path, capsys):
    pixels = load_image(photos / "1.png", *SHAPE[:2])
    Image.fromarray(pixels).save(tmp_path / "left.png")
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "right.png")
    for options, same in (([], False), (["--flips"], True)):
        csv_file = tmp_path / f"{same}.csv"
        words = ["predict", run.path, tmp_path / "left.png", tmp_path / "right.png", "--top", 4, "--csv", csv_file]
        assert main([*map(str, words), *options]) == 0
        left, right = (line.split(",", 1)[1] for line in csv_file.read_text().splitlines()[1:])
        assert (left == right) == same


def test_one_image_stays_one_short_line(run, photos, capsys):
    assert main(["predict", str(run.path), str(photos / "1.png")]) == 0
    name, _, probability = capsys.readouterr().out.strip().rpartition(", ")
    assert name in NAMES and 0.25 <= float(probability) <= 1
    assert main(["predict", str(run.path), str(photos / "1.png"), "--top", "9"]) == 0
    said = capsys.readouterr().out
    assert all(each in said for each in NAMES)


def test_a_table_is_written_for_the_good_files_before_an_end_nobody_wanted(run, photos, tmp_path, monkeypatch):
    predict = mtc.Sequential.predict
    monkeypatch.setattr("minitorch_cnn.runs.predictions.images_at_once", lambda model: 1)
    calls = []

    def third_time(model, x, **options):
        calls.append(len(x))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(model, x, **options)

    monkeypatch.setattr(mtc.network.model.Model, "predict", third_time)
    assert main(["predict", str(run.path), str(photos), "--csv", str(tmp_path / "t.csv")]) == 130
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3


MISTAKES = [
    (["{empty}"], "expected image files, found none among 0 files"),
    (["{photos}/bad.png"], "bad.png"),
    (["{photos}/1.png", "--csv", "{empty}"], "--csv: expected the name of a file to write, got the folder"),
]


@pytest.mark.parametrize("words, message", MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(run, photos, tmp_path, capsys, words, message):
    (tmp_path / "empty").mkdir()
    assert main(["predict", str(run.path), *(w.format(photos=photos, empty=tmp_path / "empty") for w in words)]) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.splitlines()) == 1 and not said.out
