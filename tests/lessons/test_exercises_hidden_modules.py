"""A file that is called like a module of Python or NumPy, in the current folder or beside the exercise."""

import sys

import pytest

import minitorch_cnn
from minitorch_cnn.exercises import course, runner
from minitorch_cnn.exercises.progress import Course
from minitorch_cnn.twins.numba.ahead import Helper

NAMES = (*sorted(sys.stdlib_module_names), "numpy", "numba", "scipy", "minitorch_cnn")


def hide(folder):
    """Write a file for every module that a check could import."""
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"raise ImportError('{name}.py is not what was meant')\n")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    learner, current = Course(tmp_path / "work"), tmp_path / "current"
    learner.start()
    current.mkdir()
    hide(current)
    monkeypatch.chdir(current)
    return learner


def checked(mine, name, source):
    mine.file_of(course.get(name)).write_text(source, encoding="utf-8")
    return runner.run(course.get(name), mine.file_of(course.get(name)))


@pytest.mark.parametrize("also_beside_it", [False, True], ids=["the current folder", "the exercise's too"])
def test_a_right_answer_is_right_and_timed(mine, also_beside_it, capfd):
    if also_beside_it:
        hide(mine.folder)
    outcome = checked(mine, "dense", course.get("dense").solution.read_text(encoding="utf-8"))
    assert outcome.done and outcome.milestone and outcome.times[0].package, outcome
    assert capfd.readouterr() == ("", "")


def test_the_package_is_the_one_that_started_the_check(mine, tmp_path, monkeypatch, capfd):
    other = tmp_path / "other"
    other.mkdir()
    (other / "minitorch_cnn.py").write_text("raise ImportError('another one')")
    monkeypatch.setenv("PYTHONPATH", str(other))
    assert checked(mine, "dense", "import minitorch_cnn\nprint(minitorch_cnn.__file__)").state == "wrong"
    assert capfd.readouterr().out.strip() == minitorch_cnn.__file__


def test_a_neighbour_comes_first_while_the_file_is_imported_and_last_afterwards(mine):
    (mine.folder / "colorsys.py").write_text("def product(a, b):\n    return a @ b\n")
    (mine.folder / "late.py").write_text("def total(a):\n    return a.sum(0)\n")
    source = "import colorsys\ndef dense_backward(dy, x, kernel):\n    from late import total\n"
    source += "    return colorsys.product(dy, kernel.T), colorsys.product(x.T, dy), total(dy)\n"
    assert checked(mine, "dense", source).done


def test_the_second_process_that_compiles_is_not_misled_either(mine):
    helper = Helper([("activations.relu_backward",)])
    helper.wait_for("activations.relu_backward")
    assert helper.process.wait() == 0
