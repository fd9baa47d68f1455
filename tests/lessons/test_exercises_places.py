"""`minitorch-cnn exercise` in odd places: no permission to write, spaces in a name, folders named like commands."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minitorch_cnn.cli import main
from minitorch_cnn.exercises import course, runner
from minitorch_cnn.exercises.progress import Course
from minitorch_cnn.exercises.training import NEEDED

ROOT = Path(__file__).parents[2]
WRONG = "def relu_forward(x):\n    return x * (x > 0)\ndef relu_backward(dy, y):\n    return dy\n"


@pytest.fixture
def mine(tmp_path):
    learner = Course(tmp_path / "my work")
    learner.start()
    for name in ("dense", "relu"):
        learner.file_of(course.get(name)).write_text(course.get(name).solution.read_text(encoding="utf-8"))
    return learner


def test_a_check_counts_where_its_result_cannot_be_recorded(mine, capsys):
    mine.record.mkdir()  # a folder in its place, so not even root can write it
    (mine.record / "file").write_text("")
    assert main(["exercise", "dense", str(mine.folder)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "right  dense_backward" and "exercise 1 is done" in said[-2]
    assert said[-1].startswith("note   your progress is not kept: ") and said[-1].count("cannot be written") == 1

    mine.file_of(course.get("relu")).write_text(WRONG)
    assert main(["exercise", "relu", str(mine.folder), "--hint"]) == 1
    assert "hint 1 of 3: " in capsys.readouterr().out


def test_all_exercises_are_checked_where_nothing_can_be_recorded(mine, capsys, monkeypatch):
    mine.record.mkdir()
    (mine.record / "file").write_text("")
    monkeypatch.setattr(runner, "run", lambda *arguments: runner.Outcome("done"))
    assert main(["exercise", "all", str(mine.folder)]) == 0
    out, error = capsys.readouterr()
    assert "12 of 12 right" in out and out.count("note   your progress is not kept") == 1 and not error


def test_a_trained_network_gets_its_certificate_where_nothing_can_be_recorded(mine, capsys, monkeypatch):
    mine.record.mkdir()
    (mine.record / "file").write_text("")
    maps = {name: [[0.0, 1.0], [1.0, 0.0]] for name in ("x", "conv1", "conv2")}
    end = {"done": True, "right": 440, "images": 450, "digit": 3, "mistakes": [], "maps": maps}
    monkeypatch.setattr(runner, "run", lambda *arguments: runner.Outcome("done"))
    monkeypatch.setattr(runner, "train", lambda *arguments: iter([end]))
    assert main(["exercise", "train", str(mine.folder)]) == 0
    assert "your network reads 440 of 450 test digits" in capsys.readouterr().out
    page = (mine.folder / "certificate.html").read_text(encoding="utf-8")
    assert f"minitorch-cnn exercise train {shlex.quote(str(mine.folder))}".replace("'", "&#39;") in page


def test_commands_can_be_copied_for_a_folder_with_spaces(mine, capsys, monkeypatch):
    monkeypatch.chdir(mine.folder.parent)
    assert main(["exercise", "dense", "my work"]) == 0
    command = capsys.readouterr().out.rpartition("next: ")[2]
    assert shlex.split(command) == ["minitorch-cnn", "exercise", "relu", "my work"]


@pytest.mark.parametrize("name", ["start", "all", "train"])
def test_a_folder_named_like_a_command_is_not_taken_for_the_exercises(tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    code = main(["exercise", name])
    out, error = capsys.readouterr()
    assert (code, f"{name}: no exercises found" in error) == (0 if name == "start" else 2, False), out + error


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("command", [["relu", "{}"], ["train", "{}"]], ids=["a check", "a training"])
def test_no_endless_loop_is_left_behind(mine, tmp_path, command):
    """The command is killed while the learner's function loops; the loop writes a file as long as it lives."""
    alive = tmp_path / "alive"
    loop = f"import time\nwhile True:\n    open({str(alive)!r}, 'w').write(str(time.time()))\n    time.sleep(0.05)\n"
    mine.file_of(course.get("relu")).write_text(loop)
    for name in NEEDED:
        mine.remember(course.get(name), runner.Outcome("done"))
    words = [sys.executable, "-m", "minitorch_cnn.cli", "exercise", *[word.format(mine.folder) for word in command]]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        wait_until(alive.exists)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: time.time() - alive.stat().st_mtime > 2)


def wait_until(true, most=120):
    for _ in range(20 * most):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(f"not so after {most} seconds")
