"""`minitorch-cnn fine-tune` from the photos to the page, on a few small ones and a base nobody trained."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import checkpoint, models
from minitorch_cnn.cli import main
from minitorch_cnn.runs import RunFolder
from minitorch_cnn.runs.fine_tune import FineTuneSettings


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten reddish cats and ten bluish dogs, and a file that is no photo."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("validation", 4)):
        for name, channel in (("cats", 0), ("dogs", 2)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 120, (40, 37, 3), dtype=np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(folder / split / name / f"{number}.jpg")
    (folder / "train" / "cats" / "broken.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "base.h5"
    models.vgg16(include_top=False, input_shape=(32, 32, 3), seed=3).save_weights(path)
    return path


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, photos, weights):
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    arguments = ["fine-tune", "--weights", weights, "--data", photos, "--size", 32, "--batch-size", 5, "--out", folder,
                 "--top-epochs", 2, "--all-epochs", 1, "--copies", 2]  # fmt: skip
    assert main([*map(str, arguments), "--quiet"]) == 0
    return folder


def test_both_phases_leave_their_traces(tuned):
    assert {path.name for path in tuned.iterdir()} == {
        "config.json", "history-top.csv", "history-all.csv", "checkpoint-top.npz", "checkpoint-all.npz", "model.npz",
        "report.html", "predictions.csv", "predictions-top.csv",
    }  # fmt: skip
    assert len((tuned / "history-top.csv").read_text().splitlines()) == 3
    assert len((tuned / "history-all.csv").read_text().splitlines()) == 2
    assert json.loads((tuned / "config.json").read_text())["settings"]["size"] == 32


def test_the_second_phase_changes_block_5_of_the_base_and_the_first_phase_nothing_of_it(tuned, weights):
    base = models.vgg16(include_top=False, input_shape=(32, 32, 3), weights=weights)
    first, last = (checkpoint.load(tuned / f"checkpoint-{name}.npz")[0] for name in ("top", "all"))
    changed = set()
    for layer in base.layers:
        for name, array in layer.parameters.items():
            assert np.array_equal(first["model", layer.name, name], array), (layer.name, name)
            if not np.array_equal(last["model", layer.name, name], array):
                changed.add(layer.name)
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}
    assert not any(key[0] == "optimizer" and key[2].startswith("block") for key in first)


def test_the_page_tells_the_story(tuned):
    page = (tuned / "report.html").read_text()
    words = ("base frozen", "block5_conv1 and above trained", "fc1", "block5_pool", "broken.jpg", "CC BY 4.0")
    for each in (*words, "data:image/", "expected calibration error", "put right", "McNemar"):
        assert each in page, each


def test_the_page_counts_the_photos_that_changed_sides_as_the_tables_do(tuned):
    tables = [list(csv.DictReader((tuned / f"predictions{part}.csv").open())) for part in ("-top", "")]
    was, now = ([row["class"] == row["predicted"] for row in table] for table in tables)
    right, wrong = (sum(a == old and b != old for a, b in zip(was, now)) for old in (False, True))
    assert len(was) == 8 and f"{right} put right, {wrong} made wrong" in (tuned / "report.html").read_text()


def test_unfreezing_all_changes_every_layer(photos, weights, tmp_path):
    arguments = ["fine-tune", "--weights", weights, "--data", photos, "--size", 32, "--batch-size", 5, "--unfreeze",
                 "all", "--top-epochs", 1, "--all-epochs", 1, "--out", tmp_path / "run", "--quiet"]  # fmt: skip
    assert main(list(map(str, arguments))) == 0
    first, last = (checkpoint.load(tmp_path / "run" / f"checkpoint-{name}.npz")[0] for name in ("top", "all"))
    kernels = [key for key in first if key[0] == "model" and key[2] == "kernel"]
    assert len(kernels) == 15 and not any(np.array_equal(first[key], last[key]) for key in kernels)
    assert "everything trained" in (tmp_path / "run" / "report.html").read_text()


def test_predict_says_cat_or_dog(tuned, photos, capsys):
    assert main(["predict", str(tuned), str(photos / "validation" / "dogs" / "1.jpg")]) == 0
    answer, probability = capsys.readouterr().out.strip().split(", ")
    assert answer in ("cat", "dog") and 0.5 <= float(probability) <= 1


def test_a_resumed_run_gives_the_same_bits(tuned, photos, weights, tmp_path, monkeypatch):
    from minitorch_cnn.runs import fine_tune

    settings = fine_tune.FineTuneSettings(
        str(weights), str(photos), 32, top_epochs=2, all_epochs=1, batch_size=5, copies=2
    )

    def fails(self):
        raise RuntimeError("power cut")

    monkeypatch.setattr(fine_tune.Phases, "all", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        fine_tune.start(settings, tmp_path / "cut", progress=False)
    monkeypatch.undo()
    assert main(["fine-tune", "--resume", str(tmp_path / "cut"), "--quiet"]) == 0
    whole, resumed = (checkpoint.load(folder / "model.npz")[0] for folder in (tuned, tmp_path / "cut"))
    for key in whole:
        assert np.array_equal(whole[key], resumed[key]), key


def test_a_finished_run_gets_more_epochs_with_another_fall_of_the_rate(tuned, tmp_path, capsys):
    """The second fall begins at half the rate; the table has the rate of an epoch's first step."""
    shutil.copytree(tuned, tmp_path / "run")
    assert main(["fine-tune", "--resume", str(tmp_path / "run"), "--epochs", "2", "--quiet"]) == 0
    first, more = (list(csv.DictReader((each / "history-all.csv").open())) for each in (tuned, tmp_path / "run"))
    assert len(more) == 2 and more[0] == first[0]
    assert [float(epoch["learning_rate"]) for epoch in more] == pytest.approx([1e-4, 5e-5])
    assert RunFolder(tmp_path / "run").read_settings(FineTuneSettings).earlier == "1"
    report = (tmp_path / "run" / "report.html").read_text()
    again = tmp_path / "run-again"
    assert "--all-epochs 1 " in report and f" --out {again}<" in report
    assert f"minitorch-cnn fine-tune --resume {again} --epochs 2" in report
    assert main(["fine-tune", "--resume", str(tmp_path / "run"), "--epochs", "1", "--quiet"]) == 2
    assert "expected more than the 2 epochs of this run, got 1" in capsys.readouterr().err


EDITED = [
    ("top_rate", 1e-3, "was Constant(learning_rate=0.0001) in the run and is now Constant(learning_rate=0.001)"),
    ("batch_size", 4, "batch_size was 5 in the run and is now 4"),
    ("seed", 1, "seed was 0 in the run and is now 1"),
    ("copies", 3, "the run had 24 training images, now there are 36"),
]


@pytest.mark.parametrize("name, value, message", EDITED)
def test_an_edited_setting_is_noticed(tuned, tmp_path, capsys, name, value, message):
    shutil.copytree(tuned, tmp_path / "run")
    config = json.loads((tuned / "config.json").read_text())
    config["settings"][name] = value
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert main(["fine-tune", "--resume", str(tmp_path / "run"), "--quiet"]) == 2
    assert message in capsys.readouterr().err


MISTAKES = [
    (["fine-tune"], "expected --weights FILE"),
    (["fine-tune", "--weights", "nowhere.h5", "--data", "{photos}"], "nowhere.h5"),
    (["fine-tune", "--weights", "{weights}", "--data", "nowhere"], "nowhere"),
    (
        ["fine-tune", "--weights", "{weights}", "--data", "{photos}", "--beside", "nowhere"],
        "the history of a finished run",
    ),
    (["fine-tune", "--resume", "{tuned}", "--size", "40"], "got --size too"),
    (["fine-tune", "--resume", "{tuned}", "--copies", "3"], "got --copies too"),
    (["fine-tune", "--base", "resnet50", "--copies", "3"], "--copies: expected --unfreeze LAYER, below which"),
    (["fine-tune", "--weights", "{weights}", "--data", "{photos}", "--unfreeze", "fc1"], "--unfreeze: expected all or"),
    (["train", "--resume", "{tuned}"], "this run was started by another command"),
    (["fine-tune", "--weights", "{weights}", "--data", "{photos}", "--size", "20"], "20"),
]


@pytest.mark.parametrize("arguments, message", MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(
    photos, weights, tuned, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    places = {"photos": photos, "weights": weights, "tuned": tuned}
    assert main([argument.format(**places) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
