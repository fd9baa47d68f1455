"""The commands on a run whose network has branches."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn import checkpoint
from minitorch_cnn.cli import main
from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.runs import RunFolder

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from graph_models import SHAPE, X, residual, siamese

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def run(tmp_path):
    RunFolder(tmp_path).save_model(residual(), NAMES)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 17, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def test_a_graph_comes_back_from_its_run(run):
    model, names = RunFolder(run).load_model()
    np.testing.assert_array_equal(model.predict(X), residual().predict(X))
    assert names == NAMES and [node.inputs for node in model.nodes()] == [node.inputs for node in residual().nodes()]


@pytest.mark.parametrize(
    "command, words",
    [
        (["predict", "photo.png"], ["0."]),
        (["summary"], ["conv2d_1, conv2d_2", "Add"]),
        (["explain", "photo.png", "--page", "page.html"], ["add_1", "short", "page: "]),
        (["check-gradients", "--brief", "--most", "5"], ["1 of 1 agree"]),
    ],
)
def test_commands(run, capsys, monkeypatch, command, words):
    monkeypatch.chdir(run)
    assert main([command[0], str(run), *command[1:]]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words), said


BROKEN = [
    lambda model: model["nodes"][3].__setitem__(1, [0, 9]),  # reads what is made later
    lambda model: model["nodes"][3].__setitem__(1, [0, -1]),
    lambda model: model["nodes"][3].__setitem__(0, 99),
    lambda model: model["nodes"].append([0, [1, 2, 3]]),
    lambda model: model["nodes"].__setitem__(2, "x"),
    lambda model: model.update(outputs=[0]),
    lambda model: model.update(outputs=[10**400]),
    lambda model: model.update(outputs=[]),
    lambda model: model.update(nodes=[[0, [0]]] * 3000),
    lambda model: model.update(nodes=[]),
    lambda model: model.update(input_shape=[[11, 9, 3]] * 100),
    lambda model: model.update(input_shape=[[11, 9, True]]),
]


@pytest.mark.parametrize("change", BROKEN, ids=range(len(BROKEN)))
def test_a_graph_from_a_stranger_is_refused_in_a_line(tmp_path, capsys, change):
    model = residual()
    config = model.config()
    change(config)
    arrays = {key: value for key, value in model.state().items() if key[1] != "draws"}
    checkpoint.save(tmp_path / "model.npz", arrays, {"model": config, "class_names": NAMES})
    with pytest.raises(CheckpointError, match=r"not a model saved by minitorch-cnn") as error:
        RunFolder(tmp_path).load_model()
    assert str(error.value).isprintable() and len(str(error.value)) < 700
    assert main(["summary", str(tmp_path)]) == 2


def test_many_branches_that_wait_count_as_memory(tmp_path):
    """Each value is small enough by itself, but a thousand wait for the sum."""
    layers = [{"class": "ReLU", "name": f"r{number}"} for number in range(900)] + [{"class": "Add", "name": "sum"}]
    nodes = [[number, [0]] for number in range(900)] + [[900, list(range(1, 901))]]
    config = {"input_shape": [600, 600, 3], "seed": 0, "dtype": "float32", "preprocessing": None, "layers": layers,
              "nodes": nodes, "outputs": [901]}  # fmt: skip
    checkpoint.save(tmp_path / "model.npz", {}, {"model": config, "class_names": []})
    with pytest.raises(CheckpointError, match=r"would take .* for one image"):
        RunFolder(tmp_path).load_model()


def test_a_model_with_two_inputs_has_no_images_to_predict(tmp_path, capsys):
    RunFolder(tmp_path).save_model(siamese(), ["no", "yes"])
    Image.fromarray(np.zeros((*SHAPE[:2], 3), np.uint8)).save(tmp_path / "a.png")
    for command in (["predict", str(tmp_path), str(tmp_path / "a.png")], ["explain", str(tmp_path)]):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "minitorch-cnn: " in said
