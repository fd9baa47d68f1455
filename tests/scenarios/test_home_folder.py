"""`~` means the home folder wherever a path is expected, in Python and on the command line."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint, CSVLog, ModelCheckpoint, TensorBoard
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn import cli, datasets, keras_h5, layers, optimizers
from minitorch_cnn.errors import DataError, WeightsError
from minitorch_cnn.runs import RunFolder

X, LABELS = np.random.default_rng(0).random((6, 4, 4, 1)).astype("float32"), np.arange(6) % 2


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


def net():
    return mtc.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")], (4, 4, 1), seed=0)


def test_in_python(home):
    model = net()
    options = {"optimizer": optimizers.SGD(0.1), "progress": False}
    model.fit(X, LABELS, callbacks=[CSVLog("~/h.csv"), Checkpoint("~/c.npz")], **options)
    net().fit(X, LABELS, epochs=2, resume="~/c.npz", callbacks=[Checkpoint("~/c.npz")], **options)
    model.save_weights("~/w.weights.h5")
    model.save("~/m.keras")
    other = net()
    other.load_weights("~/w.weights.h5")
    np.testing.assert_array_equal(other.vector.values, model.vector.values)
    np.testing.assert_array_equal(mtc.load_model("~/m.keras").predict(X), model.predict(X))
    assert {path.name for path in home.iterdir()} >= {"h.csv", "c.npz", "w.weights.h5", "m.keras"}
    assert RunFolder("~/run").path == home / "run"
    with pytest.raises(WeightsError, match=str(home / "nothing.keras")):
        mtc.load_model("~/nothing.keras")


def test_on_the_command_line(home, capsys):
    net().save_weights("~/w.weights.h5")
    assert cli.main(["weights", "inspect", "~/w.weights.h5"]) == 0
    assert "dense" in capsys.readouterr().out
    options = cli._parser().parse_args(["predict", "~/run", "~/a.png", "b.png"])
    assert (options.run_folder, options.images) == (str(home / "run"), [str(home / "a.png"), "b.png"])
    assert cli._parser().parse_args(["train", "--out=~/run"]).out == str(home / "run")
    assert not any((home.parent / "here").iterdir())


def test_the_best_model(home):
    best = ModelCheckpoint("~/best/{epoch}.npz", monitor="loss")
    net().fit(X, LABELS, callbacks=[best], optimizer=optimizers.SGD(0.1), progress=False)
    mtc.load_model("~/best/1.npz")
    assert (home / "best" / "1.npz").exists() and not any((home.parent / "here").iterdir())


def test_logs_of_tensorboard(home):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    net().fit(X, LABELS, callbacks=[TensorBoard("~/logs")], optimizer=optimizers.SGD(0.1), progress=False)
    assert any((home / "logs" / "train").iterdir()) and not any((home.parent / "here").iterdir())


def test_onnx(home):
    pytest.importorskip("onnx", reason="onnx is not installed")
    net().export_onnx("~/m.onnx")
    assert (home / "m.onnx").exists() and not any((home.parent / "here").iterdir())


def test_files_of_weights_and_images(home):
    net().save_weights(home / "w.h5")
    assert keras_h5.inspect("~/w.h5").layers
    Image.new("L", (3, 5)).save(home / "a.png")
    assert datasets.load_image("~/a.png", 5, 3).shape == (5, 3, 3)


def test_the_home_of_nobody_is_a_folder_that_is_not_there(home, capsys):
    with pytest.raises(DataError, match=r"~nobody-at-all.*nothing there"):
        datasets.cifar10("~nobody-at-all/x")
    for command in (["train", "~nobody-at-all/x"], ["train", "cifar10", "--data", "~nobody-at-all/x"]):
        try:
            code = cli.main(command)
        except SystemExit as refused:  # how argparse ends
            code = refused.code
        assert (code, "~nobody-at-all/x" in capsys.readouterr().err) == (2, True)
