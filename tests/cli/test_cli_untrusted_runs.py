"""A run folder from somebody else: nothing runs, nothing large is made, and no name reaches the terminal as it is."""

import copy
import json
import os

import numpy as np
import pytest
from minitorch_cnn.weight_files import read_class_index
from PIL import Image

from minitorch_cnn import Sequential, checkpoint, datasets, keras_h5, layers
from minitorch_cnn.arrays import definitions_only
from minitorch_cnn.cli import main
from minitorch_cnn.errors import CheckpointError, UserError
from minitorch_cnn.exercises.course import EXERCISES
from minitorch_cnn.exercises.progress import Course
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import read_small
from minitorch_cnn.report.transfer_training import read_history
from minitorch_cnn.runs import RunFolder, Settings

EVIL = "\x1b[2J\x1b]0;title\x07\u202ecat\udcff\nminitorch-cnn: all is well"


@pytest.fixture
def saved(tmp_path):
    """saved(change): a run folder whose model's description went through `change`."""
    model = Sequential(
        [layers.Conv2D(2, 3, activation="relu"), layers.ZeroPad2D(1), layers.Flatten(), layers.Dense(3, "softmax")],
        (6, 5, 3),
        seed=0,
    )

    def saved(change, names=("a", "b", "c")):
        facts = {"model": copy.deepcopy(model.config()), "class_names": list(names)}
        change(facts)
        arrays = {key: value for key, value in model.state().items() if key[1] != "draws"}
        checkpoint.save(tmp_path / "model.npz", arrays, facts)
        return RunFolder(tmp_path)

    return saved


def set_layer(index, **values):
    return lambda facts: facts["model"]["layers"][index].update(values)


STRANGE = [
    set_layer(0, filters=10**9),
    set_layer(1, padding=10**6),
    set_layer(1, padding=[[-3, 0], [0, 0]]),
    set_layer(0, strides=0),
    set_layer(0, **{"class": "__import__"}),
    set_layer(0, **{"class": "Layer"}),
    set_layer(0, another="argument"),
    set_layer(0, name=EVIL),
    set_layer(0, name="x" * 201),
    set_layer(2, name=["flat"]),
    set_layer(3, activation="eval"),
    lambda facts: facts["model"].update(input_shape=[10**6, 10**6, 3]),
    lambda facts: facts["model"].update(input_shape="6"),
    lambda facts: facts["model"].update(dtype="object"),
    lambda facts: facts["model"].update(preprocessing={"kind": "os"}),
    lambda facts: facts["model"].update(layers=[]),
    lambda facts: facts["model"]["layers"].extend([{"class": "Dense", "units": 10**9}] * 3),
    lambda facts: facts.update(model=EVIL),
    lambda facts: facts.update(class_names=["a", "b"]),
    lambda facts: facts.update(class_names=["a", "b", 3]),
    lambda facts: facts.pop("class_names"),
]


@pytest.mark.parametrize("change", STRANGE)
def test_a_strange_model_is_refused_in_one_line(saved, change):
    run = saved(change)
    with pytest.raises(CheckpointError, match=r"model\.npz: not a model saved by minitorch-cnn") as caught:
        run.load_model()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700


def test_names_reach_the_terminal_escaped(saved, tmp_path, capsys):
    run = saved(lambda facts: None, names=[EVIL, EVIL + "2", EVIL + "3"])
    picture = tmp_path / "a\x1b[31mb.png"
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(picture)
    with definitions_only():
        assert main(["predict", str(run.path), str(picture), str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.isprintable() for line in lines)
    assert main(["predict", str(tmp_path / "\x1b[2J"), "x"]) == 2
    said = capsys.readouterr().err
    assert said.rstrip("\n").isprintable() and "\\x1b[2J" in said


@pytest.mark.parametrize("text", ["plain", "naïve", "日本", EVIL, "\ud800", "\x00"])
def test_printable_is_one_line_and_leaves_words_alone(text):
    assert printable(text).isprintable()
    assert printable(text) == text or not text.isprintable()


def test_a_class_folder_with_codes_in_its_name(tmp_path):
    for name in ("a\x1b[2J", "b\nc"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / name / f"{number}.png")
    dataset = datasets.image_folder(tmp_path, 6, 5)
    assert dataset.class_names == ("a\\x1b[2J", "b\\nc")
    assert str(dataset).isprintable()


SETTINGS = {"dataset": "digits", "data": None, "epochs": 2, "batch_size": 3, "learning_rate": 0.1, "seed": 0}
CONFIGS = [
    json.dumps({"settings": SETTINGS | {"dataset": EVIL}}),
    json.dumps({"settings": SETTINGS | {"epochs": "2"}}),
    json.dumps({"settings": SETTINGS | {"epochs": -2}}),
    json.dumps({"settings": SETTINGS | {"batch_size": 10**40}}),
    json.dumps({"settings": SETTINGS | {"batch_size": 0}}),
    json.dumps({"settings": SETTINGS | {"learning_rate": float("nan")}}),
    json.dumps({"settings": SETTINGS | {"seed": True}}),
    json.dumps({"settings": SETTINGS | {EVIL: 1}}),
    json.dumps({"settings": [EVIL]}),
    json.dumps([EVIL]),
    "[" * 100_000,
    "\udcff",
    "",
]


@pytest.mark.parametrize("text", CONFIGS, ids=range(len(CONFIGS)))
def test_strange_settings_are_refused_in_one_line(tmp_path, capsys, text):
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main(["train", "--resume", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.rstrip("\n").isprintable() and len(said) < 900
    assert {path.name for path in tmp_path.iterdir()} == {"config.json"}


def test_settings_come_back(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"settings": SETTINGS}))
    assert RunFolder(tmp_path).read_settings(Settings) == Settings(**SETTINGS)


READERS = {
    "config": lambda path: RunFolder(path.parent).read_settings(Settings),
    "model": lambda path: RunFolder(path.parent).load_model(),
    "checkpoint": checkpoint.load,
    "history": lambda path: read_history(path.parent),
    "class index": read_class_index,
    "weights": lambda path: keras_h5.read(path),
    "image": lambda path: datasets.load_image(path, 4, 5),
    "CIFAR-10": datasets.cifar10,
}
NAMES = {"config": "config.json", "model": "model.npz", "history": "history.csv"}


has_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@has_pipes
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path, reader, kind):
    """A pipe would be waited for, a device without an end would fill the memory."""
    path = tmp_path / NAMES.get(reader, "file")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value) and str(caught.value).isprintable()


def test_a_file_is_read_only_up_to_its_limit(tmp_path):
    (tmp_path / "config.json").write_bytes(b" " * 1000)
    assert read_small(tmp_path / "config.json", 1000) == b" " * 1000
    with pytest.raises(OSError, match="expected at most 999 bytes, got 1,000"):
        read_small(tmp_path / "config.json", 999)
    with open(tmp_path / "config.json", "r+b") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read \(expected at most 4,194,304 bytes, got"):
        RunFolder(tmp_path).read_settings(Settings)


@has_pipes
def test_the_record_of_the_exercises_may_be_anything(tmp_path):
    course = Course(tmp_path)
    course.start()
    os.mkfifo(course.record)
    assert course.standing(EXERCISES[0]) == ("not begun", "")


def test_layers_without_number_are_refused(saved):
    many = [{"class": "Flatten"}] * 2001
    with pytest.raises(CheckpointError, match="expected at most 2,000 layers"):
        saved(lambda facts: facts["model"].update(layers=many)).load_model()
