"""The scripts that try and measure fine-tuning, on a few small photos and a base nobody trained."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import models

FOLDER = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    for part, count in (("train", 10), ("validation", 3)):
        for name in ("cats", "dogs"):
            (folder / "photos" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (37, 41, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "photos" / part / name / f"{number}.png")
    base = models.vgg16(include_top=False, input_shape=(32, 32, 3), seed=3)
    pixels = np.asarray(Image.open(folder / "photos" / "train" / "cats" / "0.png").resize((32, 32)))
    base.get_layer("block5_conv3").parameters["kernel"] *= 300 / base.predict(pixels[None]).max()  # as large as VGG16's
    base.save_weights(folder / "base.h5")
    return ["--weights", str(folder / "base.h5"), "--data", str(folder / "photos"), "--size", "32"]


def run(name, tmp_path, *words):
    command = [sys.executable, str(FOLDER / name), *map(str, words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    with (tmp_path / "results" / f"{Path(name).stem}.csv").open(newline="") as file:
        return done.stdout + done.stderr, list(csv.DictReader(file))


def test_settings_are_tried_on_parts_of_the_training_photos(inputs, tmp_path):
    words = [
        *inputs,
        "--cache",
        tmp_path / "cache",
        "--results",
        tmp_path / "results",
        "--folds",
        2,
        "--rows",
        2,
        17,
        18,
        26,
        28,
        29,
        30,
    ]
    out, rows = run("fine_tuning_tried.py", tmp_path, *words)
    kinds = ["last step", "averaged", "half"]
    assert [(row["row"], row["weights"]) for row in rows] == [
        ("2", "last step"),
        *(("17", kind) for kind in ("top alone", *kinds)),
        *(("18", kind) for kind in kinds),
        ("26", "last step"),
        *((row, kind) for row in ("28", "29", "30") for kind in kinds),
    ]
    assert all(row["photos"] == "8" and 0 <= float(row["accuracy"]) <= 1 < float(row["last_epoch"]) + 1 for row in rows)
    assert len({row["last_loss"] for row in rows}) == len(rows) and "frozen_loss" in out
    assert rows[0]["put_right"] == rows[0]["frozen_loss"] == ""
    tuned = [row for row in rows if row["put_right"]]
    wrong = [8 * (1 - float(row[name])) for row in tuned for name in ("frozen_accuracy", "accuracy")]
    changes = [int(row["put_right"]) - int(row["made_wrong"]) for row in tuned]
    assert np.subtract(wrong[::2], wrong[1::2]) == pytest.approx(changes)
    kept = {path.name: np.load(path) for path in (tmp_path / "cache" / "32").iterdir()}
    assert kept["block3-copy1.npy"].shape == (20, 4, 4, 256)
    assert kept["block4-photo.npy"].shape == (20, 2, 2, 512) and kept["block5-mirror.npy"].shape == (20, 1, 1, 512)
    assert kept["block0-copy3.npy"].shape == (20, 32, 32, 3)
    assert (kept["block4-copy0.npy"] != kept["block4-copy1.npy"]).any()


def test_seeds_that_share_their_features_are_the_same(inputs, tmp_path):
    """To the same bits: only the first seed computes what the frozen layers make of the photos."""
    words = ["--seeds", 2, "--results", tmp_path / "results", "--", *inputs, "--copies", 1]
    before, alone = run("fine_tuning_seeds.py", tmp_path, "--out", tmp_path / "alone", *words)
    out, together = run("fine_tuning_seeds.py", tmp_path, "--out", tmp_path / "together", "--share", *words)
    assert before.count("features cached") == 2 * out.count("features cached") > 0
    for one, other in zip(alone, together):
        assert {**one, "minutes": ""} == {**other, "minutes": ""}


def test_seeds_are_counted_from_what_their_runs_left(inputs, tmp_path):
    words = ["--out", tmp_path / "runs", "--seeds", 2, "--results", tmp_path / "results", "--", *inputs, "--quiet"]
    words += ["--top-epochs", 1, "--all-epochs", 1, "--copies", 1]
    out, rows = run("fine_tuning_seeds.py", tmp_path, *words)
    assert [row["seed"] for row in rows] == ["0", "1"] and all(row["minutes"] != "" for row in rows)
    for row in rows:
        wrong = [
            sum(line["class"] != line["predicted"] for line in csv.DictReader(file))
            for file in (
                (tmp_path / "runs" / f"seed-{row['seed']}" / f"predictions{part}.csv").open() for part in ("-top", "")
            )
        ]
        assert float(row["accuracy"]) == pytest.approx(1 - wrong[1] / 6, abs=1e-4)
        assert wrong[0] - wrong[1] == int(row["put_right"]) - int(row["made_wrong"])
    again, same = run("fine_tuning_seeds.py", tmp_path, *words)
    assert same == rows and "frozen_accuracy: " in again and "put right" in again


@pytest.mark.parametrize("words, message", [
    (["--rows", "2", "31"], "--rows: expected numbers from 0 to 30, got 31"),
    (["--folds", "6"], "--folds: expected 1 to 5, got 6"),
    (["--weights", "missing.h5"], "missing.h5: no such file"),
    (["--data", "missing"], "missing: expected a folder"),
])  # fmt: skip
def test_what_cannot_be_tried_ends_in_one_line(words, message, inputs, tmp_path):
    command = [sys.executable, str(FOLDER / "fine_tuning_tried.py"), *inputs, "--cache", "cache", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode and message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


@pytest.mark.parametrize("words, message", [
    (["fine_tuning_seeds.py", "--out", "runs", "--seeds", "0", "--", "--data", "missing"], "of at least 1, got '0'"),
    (["fine_tuning_seeds.py", "--out", "runs", "--", "--weights", "a", "--data", "missing"], "missing: expected a"),
    (["tricks.py", "--seeds", "0"], "argument --seeds: expected a whole number of at least 1, got '0'"),
    (["tricks.py", "--epochs", "0"], "argument --epochs: expected a whole number of at least 1, got '0'"),
])  # fmt: skip
def test_a_measurement_that_cannot_begin_ends_in_one_line(words, message, tmp_path):
    command = [sys.executable, str(FOLDER / words[0]), *words[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
