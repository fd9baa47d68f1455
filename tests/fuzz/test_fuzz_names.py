"""Whole commands on data with hostile names: nothing outside the run folder is touched, and no name does anything."""

import contextlib
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from file_targets import cifar10, records
from PIL import Image
from run_targets import configs, inside, small_weights
from small_work import small_work, write_photos
from target import in_lines
from watching import Guard

from minitorch_cnn import cli, report
from minitorch_cnn.arrays import definitions_only

NAMES = (
    "<script>alert(1)</script>", "\"><img/src=x/onerror=alert(1)>", "../../../etc/passwd", "\x1b[2Jcleared", "{{7*7}}",
    "';rm-rf/;'", "$(touch-/tmp/x)", "\u202egnp.exe", "%s%n{0}", "<marquee>&lt;b",
)  # fmt: skip


OURS = (Path(report.__file__).parent / "live.js").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """The elements of a page, all the text between them, and its scripts."""

    def __init__(self, page):
        super().__init__()
        self.kinds, self.handlers, self.words, self.scripts = set(), [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.kinds.add(tag)
        self.handlers += [name for name, value in attributes if name.startswith("on") or "javascript:" in str(value)]

    def handle_data(self, data):
        (self.scripts if self.cdata_elem == "script" else self.words).append(data)


@pytest.fixture(scope="module")
def guard():
    return Guard()


@pytest.fixture
def command(guard, tmp_path):
    """command(*words, folder): what it prints; all that it changes has to be in `folder`."""

    def command(*words, folder):
        guarded, said = guard.watching(tmp_path / folder, named=[str(tmp_path)]), io.StringIO()
        with contextlib.redirect_stdout(said), small_work(), definitions_only(), inside(tmp_path), guarded:
            code = cli.main([str(word) for word in words])
        assert guard.acts == [] and code == 0
        in_lines(said.getvalue())
        return said.getvalue()

    return command


@pytest.fixture
def warm(tmp_path):
    """What is imported late is imported: imports write and run texts of their own."""
    with contextlib.redirect_stdout(io.StringIO()), small_work(), definitions_only(), inside(tmp_path):
        write_photos("warm/photos")
        Path("warm/photos/train/cats/broken.jpg").write_text("no photo")
        small_weights("warm/weights.h5")
        words = "--weights warm/weights.h5 --data warm/photos --size 9 --top-epochs 1 --all-epochs 1 --unfreeze all"
        assert cli.main(["train", "--out", "warm/run"]) == 0
        assert cli.main(["fine-tune", *words.split(), "--out", "warm/tuned"]) == 0
        assert cli.main(["explain", "warm/run", "--page", "warm/page.html"]) == 0


def test_class_names_from_a_file(command, warm, tmp_path):
    (tmp_path / "data").mkdir()
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        (tmp_path / "data" / name).write_bytes(records(2))
    (tmp_path / "data" / cifar10.NAMES_FILE).write_text("\n".join(NAMES), encoding="utf-8")
    photo = tmp_path / "a<b>\x1b[31m.png"
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(photo)

    with pytest.raises(AssertionError):  # what is not in the run folder cannot be changed, named or not
        command("train", "cifar10", "--data", "data", "--out", "other", "--quiet", folder="elsewhere")
    command("train", "cifar10", "--data", "data", "--out", "run", folder="run")
    command("predict", "run", photo, photo, folder="nothing")
    command("explain", "run", photo, "--page", "page/step.html", folder="page")
    command("summary", "run", folder="nothing")
    for page in ("run/report.html", "page/step.html"):
        elements = Elements((tmp_path / page).read_text(encoding="utf-8"))
        assert not elements.kinds & {"iframe", "object", "embed", "marquee"} and not elements.handlers
        assert "".join(elements.scripts) in ("", OURS)
        assert not any(word in "".join(elements.words) for word in ("\x1b", "\u202e"))
    words = "".join(Elements((tmp_path / "run/report.html").read_text(encoding="utf-8")).words)
    assert "<script>alert(1)</script>" in words and "{{7*7}}" in words  # as text


def test_names_of_photos(command, warm, tmp_path):
    write_photos(tmp_path / "photos")
    small_weights(tmp_path / "w.h5")
    for name in ("<img src=x onerror=alert(1)>.jpg", "\x1b[2J.png", "a\nb.png"):
        (tmp_path / "photos" / "train" / "cats" / name).write_text("no photo")
    command("fine-tune", "--weights", "w.h5", "--data", "photos", "--size", 9, "--top-epochs", 1, "--all-epochs", 1,
            "--unfreeze", "all", "--out", "tuned", folder="tuned")  # fmt: skip
    elements = Elements((tmp_path / "tuned" / "report.html").read_text(encoding="utf-8"))
    assert not elements.handlers and "".join(elements.scripts) == OURS
    assert "<img src=x onerror=alert(1)>.jpg" in "".join(elements.words)


def test_links_in_a_strangers_run_are_replaced_and_not_followed(command, warm, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_bytes(configs()[0])
    for name in ("history.csv", "model.npz", "report.html", "checkpoint.previous.npz"):
        (tmp_path / "run" / name).symlink_to(victim)
    (tmp_path / "run" / "checkpoint.npz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(AssertionError):  # its last checkpoint is none
        command("train", "--resume", "run", folder="run")
    (tmp_path / "run" / "checkpoint.previous.npz").unlink()
    command("train", "--resume", "run", folder="run")
    assert victim.read_text() == "as it was" and not (tmp_path / "nowhere").exists()
    assert not any(path.is_symlink() for path in (tmp_path / "run").iterdir())
