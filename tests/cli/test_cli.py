"""The command line as a user meets it: what it prints, what it leaves behind, and how it answers mistakes."""

import json
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import checkpoint, datasets
from minitorch_cnn.cli import main


def program(*arguments, **options):
    command = [sys.executable, "-m", "minitorch_cnn.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Two epochs on the digits, uninterrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", "--epochs", "2", "--out", str(folder), "--quiet"]) == 0
    return folder


def test_a_run_leaves_config_history_model_and_report(finished_run):
    assert {path.name for path in finished_run.iterdir()} == {
        "config.json", "history.csv", "checkpoint.npz", "model.npz", "report.html",
    }  # fmt: skip
    settings = json.loads((finished_run / "config.json").read_text())["settings"]
    assert settings == {
        "dataset": "digits",
        "data": None,
        "epochs": 2,
        "batch_size": 64,
        "learning_rate": 0.02,
        "seed": 0,
        "backend": "numpy",
        "keep": "last",
        "class_weights": None,
        "earlier": "",
        "size": 0,
        "flip": False,
        "color_mode": "rgb",
        "recipe": "",
    }
    assert len((finished_run / "history.csv").read_text().splitlines()) == 3


def test_the_report_shows_this_run(finished_run):
    class Words(HTMLParser):
        text = ""

        def handle_data(self, data):
            self.text += data

    parser = Words()
    parser.feed((finished_run / "report.html").read_text())
    accuracy = (finished_run / "history.csv").read_text().splitlines()[-1].split(",")
    header = (finished_run / "history.csv").read_text().splitlines()[0].split(",")
    measured = float(accuracy[header.index("val_accuracy")])
    for words in (f"{measured:.2%}", "1,676,842", "conv2d_1", "32×32×32", "minitorch-cnn train --epochs 2"):
        assert words in parser.text, words


def test_resuming_a_finished_run_says_that_nothing_is_left(finished_run, capsys):
    assert main(["train", "--resume", str(finished_run)]) == 0
    assert "checkpoint.npz: nothing is left of 2 epochs; --epochs N trains further" in capsys.readouterr().out


def test_killed_and_resumed_gives_the_same_weights(finished_run, tmp_path):
    """kill -9 in the second epoch, then --resume: the bits of the run that was left alone."""
    folder = tmp_path / "killed"
    process = program("train", "--epochs", "2", "--out", folder, "--quiet")
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint.npz").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "model.npz").exists()
    assert main(["predict", str(folder), "x.png"]) == 2  # not finished yet, and it says so
    assert main(["train", "--resume", str(folder), "--quiet"]) == 0
    whole, resumed = (checkpoint.load(path / "model.npz")[0] for path in (finished_run, folder))
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert np.array_equal(whole[name], resumed[name]), name


def test_ctrl_c_ends_with_one_line_and_130(tmp_path):
    folder = tmp_path / "stopped"
    process = program("train", "--epochs", "2", "--out", folder, "--quiet")
    deadline = time.monotonic() + 300
    while not (folder / "checkpoint.npz").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"continue with: minitorch-cnn train --resume {folder}" in said
    assert "Traceback" not in said


def test_predict_names_a_digit(finished_run, tmp_path, capsys):
    dataset = datasets.digits()
    names = []
    for number in (3, 8):
        index = int(np.flatnonzero(dataset.test_labels == number)[0])
        path = tmp_path / f"digit-{number}.png"
        Image.fromarray(dataset.test_images[index]).resize((61, 47)).save(path)
        names.append(str(path))
    assert main(["predict", str(finished_run), *names]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["image", "class", "probability"] and len(lines) == 2
    for line, name in zip(lines, names):
        place, digit, probability = line.split()
        assert place == name and digit in dataset.class_names and 0 <= float(probability) <= 1


def test_summary_and_its_memory(capsys, finished_run):
    assert main(["summary", "cifar10", "--batch-size", "128"]) == 0
    from_name = capsys.readouterr().out
    assert "1,676,842 parameters" in from_name and "248.6 MiB" in from_name
    assert main(["summary", str(finished_run), "--batch-size", "128"]) == 0
    assert capsys.readouterr().out == from_name


def test_check_gradients_of_every_layer(capsys):
    assert main(["check-gradients", "--most", "5"]) == 0
    said = capsys.readouterr().out
    assert "49 of 49 agree" in said and "Conv2D" in said and "BAD" not in said
    rows = [line for line in said.splitlines() if line.startswith("ok  ")]
    assert len(rows) == 49 and all(len(line) <= 100 for line in said.splitlines())
    assert all(float(line[63:].split()[1]) < 1e-6 for line in rows) and "float64" not in said


def test_check_gradients_of_a_model_is_a_row_for_each_array_and_verbose_tells_the_rest(finished_run, capsys):
    assert main(["check-gradients", str(finished_run), "--most", "3"]) == 0
    short = capsys.readouterr().out
    assert main(["check-gradients", str(finished_run), "--most", "3", "--verbose", "--brief"]) == 0
    rest = capsys.readouterr().out
    rows = [line.split()[1] for line in short.splitlines() if line.startswith("ok  ")]
    assert len(rows) > 3 and max(map(len, short.splitlines())) <= 100
    assert "agrees with central differences" in rest and "agrees with" not in short
    assert all(name in rest for name in rows)


MISTAKES = [
    (["train", "--data", "x"], "the digits come with the package"),
    (["train", "cifar10", "--data", "nowhere"], "nowhere"),
    (["train", "--resume", "nowhere"], "expected a run folder with a config.json"),
    (["train", "--resume", "{run}", "--seed", "4"], "takes its settings from the run folder; got --seed too"),
    (["train", "--resume", "{run}", "--epochs", "1"], "expected more than the 2 epochs of this run, got 1"),
    (["train", "--out", "{run}"], "already holds a run"),
    (["predict", "nowhere", "x.png"], "nowhere: expected the folder of a finished run, found no such folder"),
    (["predict", "{run}", "nowhere.png"], "nowhere.png"),
    (["predict", "{run}", "{run}/history.csv"], "history.csv"),
    (["summary", "vgg99"], "vgg99: expected a run folder, a .keras or .h5 file, or one of cifar10"),
    (["check-gradients", "vgg99"], "vgg99: expected a run folder, a .keras or .h5 file, or one of cifar10"),
    (["train", "--out", "{file}/run", "--epochs", "1"], "cannot be written"),
]


@pytest.mark.parametrize("arguments, message", MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_exit_code_2(finished_run, tmp_path, capsys, arguments, message):
    file = tmp_path / "a-file"
    file.write_text("not a folder")
    assert main([argument.format(run=finished_run, file=file) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1


def test_a_model_that_is_not_there_gets_no_table(capsys):
    assert main(["check-gradients", "vgg99"]) == 2 and capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [["train", "mnist"], ["train", "--epochs", "0"], ["train", "--epochs", "two"],
                                       ["train", "--learning-rate", "nan"], ["train", "--seed", "-1"], []])  # fmt: skip
def test_a_wrong_argument_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_names_every_command_with_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for words in ("train", "predict", "summary", "check-gradients", "minitorch-cnn train cifar10 --data"):
        assert words in said
