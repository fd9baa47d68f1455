"""`~` means the home folder wherever a path is expected, in Python and on the command line."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint, CSVLog

import minitorch_cnn as mtc
from minitorch_cnn import cli, layers, optimizers
from minitorch_cnn.errors import WeightsError
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
