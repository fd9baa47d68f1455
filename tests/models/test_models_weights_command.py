"""`minitorch-cnn weights inspect` and `summary`, as typed."""

from pathlib import Path

import pytest

from minitorch_cnn import checkpoint, models
from minitorch_cnn.cli import main

FIXTURES = Path(__file__).resolve().parents[1] / "keras_h5" / "fixtures"


def test_inspect_says_what_is_in_a_file(capsys):
    assert main(["weights", "inspect", str(FIXTURES / "keras1" / "keras1_tensorflow_th.h5")]) == 0
    said = capsys.readouterr().out
    assert "written by Keras 1" in said and "convolution2d_2" in said and "fits" not in said


@pytest.fixture
def digits_run(tmp_path):
    """A run folder with a finished model in it, and the model."""
    model = models.cifar10()
    arrays = {key: value for key, value in model.state().items() if key[1] != "draws"}
    checkpoint.save(tmp_path / "model.npz", arrays, {"model": model.config(), "class_names": list("0123456789")})
    return tmp_path, model


def test_inspect_with_a_network(digits_run, capsys):
    folder, model = digits_run
    path = str(folder / "cifar10.h5")
    model.save_weights(path)
    for name in ("cifar10", str(folder)):
        assert main(["weights", "inspect", path, "--model", name]) == 0
        said = capsys.readouterr().out
        assert "fits the model: matching arrays for all of its 6 layers with weights" in said
        times = 1 if name == "cifar10" else 2  # the run's own weights are these; the fresh network's are not drawn yet
        assert all(said.count(mark) == times for mark in model.fingerprints().values())
        assert said.count("  initial  ") == (6 if name == "cifar10" else 0)
    for name in ("vgg16-no-top", "vgg16", "cats_vs_dogs", "transfer-net"):
        assert main(["weights", "inspect", path, "--model", name]) == 1  # a check that fails
        assert "does not fit the model" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere.h5"], "nowhere.h5"),
        ([str(FIXTURES / "hostile" / "truncated_half.h5")], "truncated_half.h5"),
        ([str(Path(__file__))], "test_models_weights_command.py"),
        (
            [str(FIXTURES / "seq" / "k3_model.h5"), "--model", "vgg99"],
            "vgg99: expected a run folder, a .keras or .h5 file, or one of cifar10",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capsys, arguments, message):
    assert main(["weights", "inspect", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.strip().splitlines()) == 1 and not said.out


@pytest.mark.parametrize("arguments", [["weights"], ["weights", "inspect"], ["weights", "fetch"], ["weights", "burn"]])
def test_a_wrong_argument_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, words",
    [
        ("vgg16", ("block5_conv3", "138,357,544 parameters", "224x224x64")),
        ("vgg16-no-top", ("block5_pool", "14,714,688 parameters")),
        ("cats-vs-dogs", ("17x17x64", "1,212,513 parameters")),
        ("cats_vs_dogs", ("17x17x64", "1,212,513 parameters")),
        ("transfer_net", ("4x4x512", "2,097,665 trained, 14,714,688 not", "not visited")),
        ("cifar10-fast", ("3x3x128", "568,704 trained, 1,568 not trained")),
        ("resnet20", ("8x8x64", "272,474 trained, 1,568 not trained")),
    ],
)
def test_summary_knows_every_network(capsys, name, words):
    assert main(["summary", name]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in words)
