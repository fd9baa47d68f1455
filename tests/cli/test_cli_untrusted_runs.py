"""A run folder from somebody else: nothing runs, nothing large is made, and no name reaches the terminal as it is."""

import copy
import json

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import Sequential, checkpoint, datasets, layers
from minitorch_cnn.backend import definitions_only
from minitorch_cnn.cli import main
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.printable import printable
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
    with pytest.raises(CheckpointError, match=r"model\.npz: not a model of this program") as caught:
        run.load_model()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700


def test_names_reach_the_terminal_escaped(saved, tmp_path, capsys):
    run = saved(lambda facts: None, names=[EVIL, EVIL + "2", EVIL + "3"])
    picture = tmp_path / "a\x1b[31mb.png"
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(picture)
    with definitions_only():
        assert main(["predict", str(run.path), str(picture), str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.isprintable() for line in lines)
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
