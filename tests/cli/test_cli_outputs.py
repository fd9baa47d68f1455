"""Files that the user names to be written: a typing error costs no photo, no device and no work."""

import os
import stat

import numpy as np
import pytest
from own_images import write_classes
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.cli import main
from minitorch_cnn.errors import CheckpointError, WeightsError
from minitorch_cnn.files.outputs import file_to_write
from minitorch_cnn.files.printable import word
from minitorch_cnn.files.replacing import replacing

has_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no links and pipes")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a network in a file and a few photos, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    stack = [layers.Rescaling(1 / 255), layers.GlobalAveragePool2D(), layers.Dense(2, activation="softmax")]
    mtc.Sequential(stack, (9, 12, 3), seed=2).save("net.keras")
    write_classes(tmp_path / "photos", {"a": 4, "b": 4})
    Image.fromarray(np.zeros((7, 5, 3), np.uint8)).save("one.png")
    return tmp_path


def test_the_table_goes_where_a_link_leads(here):
    (here / "link.csv").symlink_to("real.csv")
    for _ in range(2):  # a second table replaces the first
        assert main(["predict", "net.keras", "photos", "--csv", "link.csv"]) == 0
        assert os.path.islink("link.csv") and len((here / "real.csv").read_text().splitlines()) == 9
    assert main(["train", "photos", "--out", "run", "--size", "9", "--epochs", "1", "--quiet"]) == 0
    for name in ("photos/table.csv", "run/predictions-new.csv") * 2:
        assert main(["predict", "run", "photos", "--csv", name]) == 0
        assert len((here / name).read_text().splitlines()) == 9


NO_FILES = {
    "--csv one.png": "got one.png, whose name is that of another kind of file",
    "--csv net.keras": "got net.keras, whose name is that of another kind of file",
    "--csv photos": "got the folder photos",
    "--csv one.png/table.csv": "got one.png/table.csv: Not a directory",
    "--csv run/predictions.csv": "got run/predictions.csv, which belongs to what is read",
    "--csv loop": "got loop: Too many levels of symbolic links",
    "--csv words": "got words, which belongs to what is read",
}


@pytest.mark.parametrize("words, message", NO_FILES.items(), ids=list(NO_FILES))
def test_what_is_read_is_not_written_over(here, capsys, words, message):
    assert main(["train", "photos", "--out", "run", "--size", "9", "--epochs", "1", "--quiet"]) == 0
    (here / "loop").symlink_to("loop")
    (here / "words").write_bytes((here / "one.png").read_bytes())  # an image without an ending
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(["predict", "run", "words", *words.split()]) == 2
    said = capsys.readouterr()
    assert not said.out and len(said.err.splitlines()) == 1
    assert "--csv: expected the name of a file to write" in said.err and message in said.err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["check-gradients run", "explain run", "lr-find --data photos --base run"])
def test_a_page_does_not_replace_that_of_the_run_which_is_read(here, capsys, command):
    assert main(["train", "photos", "--out", "run", "--size", "9", "--epochs", "1", "--quiet"]) == 0
    before = (here / "run" / "report.html").read_bytes()
    capsys.readouterr()
    assert main([*command.split(), "--page", "run/report.html"]) == 2
    assert "got run/report.html, which belongs to what is read" in capsys.readouterr().err
    assert (here / "run" / "report.html").read_bytes() == before


@has_pipes
@pytest.mark.parametrize("command", ["predict net.keras one.png --csv", "lr-find photos --size 9 --page",
                                     "explain digits --page", "check-gradients --brief --page"])  # fmt: skip
def test_a_pipe_stays_a_pipe_and_nothing_begins(here, capsys, command):
    os.mkfifo("pipe")
    assert main([*command.split(), "pipe"]) == 2
    said = capsys.readouterr()
    assert "got pipe: it is a device or a pipe" in said.err and len(said.err.splitlines()) == 1 and not said.out
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


@has_pipes
def test_neither_weights_nor_a_checkpoint_replace_a_pipe(here):
    os.mkfifo("pipe")
    os.mkfifo("pipe.h5")
    model = mtc.load_model("net.keras")
    with pytest.raises(WeightsError, match="it is a device or a pipe"):
        model.save_weights("pipe.h5")
    with (
        pytest.raises(CheckpointError, match=r"pipe: cannot be written \(it is a device or a pipe\)$"),
        replacing("pipe"),
    ):
        pass
    assert all(stat.S_ISFIFO(os.stat(name).st_mode) for name in ("pipe", "pipe.h5"))


def test_no_older_file_is_spoken_of_where_there_is_none(here):
    (here / "file").write_text("x")
    with pytest.raises(CheckpointError) as caught, replacing("file/new.csv"):
        pass
    assert "older" not in str(caught.value)


def test_a_page_that_cannot_be_written_is_refused_before_the_search(here, capsys):
    for name in ("photos", "one.png/page.html"):
        assert main(["lr-find", "photos", "--size", "9", "--page", name]) == 2
        said = capsys.readouterr()
        assert said.err.startswith("minitorch-cnn: --page: expected the name of a file") and not said.out


def test_new_folders_are_fine(here):
    assert file_to_write("--csv", "new/folder/table.csv").parts[-3:] == ("new", "folder", "table.csv")


EMPTY = [
    ["predict", "net.keras", ""], ["predict", "", "one.png"], ["train", "photos", "--out="], ["train", ""],
    ["predict", "net.keras", "one.png", "--csv", ""], ["fine-tune", "--weights", ""], ["weights", "inspect", ""],
    ["lr-find", "photos", "--page", ""], ["explain", "digits", "--page", ""],
]  # fmt: skip


@pytest.mark.parametrize("words", EMPTY, ids=[" ".join(words) for words in EMPTY])
def test_an_empty_name_is_not_this_folder(here, capsys, words):
    before = sorted(here.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "expected a name, got an empty one" in capsys.readouterr().err
    assert sorted(here.rglob("*")) == before


def test_names_in_commands_can_be_typed():
    assert [word(name) for name in ("run", "-run", "my run", "--x y")] == ["run", "./-run", "'my run'", "'./--x y'"]


def test_the_commands_of_a_run_whose_name_begins_with_a_dash(here, capsys):
    os.rename("photos", "-photos")
    assert main(["train", "./-photos", "--out=-run", "--size", "9", "--epochs", "1", "--quiet"]) == 0
    assert "minitorch-cnn predict ./-run IMAGE" in (here / "-run" / "report.html").read_text()
    assert main(["train", "./-photos", "--out=-run", "--size", "9", "--quiet"]) == 2
    assert "continue it with --resume ./-run, or" in capsys.readouterr().err
