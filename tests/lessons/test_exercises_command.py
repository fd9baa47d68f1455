"""`minitorch-cnn exercise` as a learner uses it: start, check, progress, and code that misbehaves."""

import copy
import fnmatch
import json
import pathlib
import re

import numpy as np
import pytest

from minitorch_cnn.cli import main
from minitorch_cnn.exercises import course, runner
from minitorch_cnn.exercises.checking import in_float32
from minitorch_cnn.exercises.in_the_package import PACKAGE
from minitorch_cnn.exercises.progress import Course

RELU = "def relu_forward(x):\n    return x * (x > 0)\n\ndef relu_backward(dy, y):\n    return {}"
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def mine(tmp_path):
    learner = Course(tmp_path / "work")
    assert len(learner.start()) == 12
    return learner


def write(mine, name, text):
    mine.file_of(course.get(name)).write_text(text, encoding="utf-8")


def solve(mine, name):
    write(mine, name, course.get(name).solution.read_text(encoding="utf-8"))


def exercise(mine, *arguments):
    return main(["exercise", *arguments, str(mine.folder)])


def test_start_keeps_existing_files(mine, capsys):
    write(mine, "relu", "mine")
    mine.file_of(course.get("dense")).unlink()
    assert exercise(mine, "start") == 0
    said = capsys.readouterr().out
    assert "1 exercise copied to" in said and "11 existed already and were kept" in said
    assert mine.file_of(course.get("relu")).read_text() == "mine"
    assert mine.file_of(course.get("dense")).read_bytes() == course.get("dense").stub.read_bytes()


def test_the_way_through_the_course(mine, capsys):
    assert main(["exercise", str(mine.folder)]) == 0
    said = capsys.readouterr().out
    assert "5 col2im     not begun  30 min, medium  back to an image" in said
    assert said.count("not begun") == 12 and "0 of 12 done" in said and "next: minitorch-cnn exercise dense" in said

    solve(mine, "dense")
    assert exercise(mine, "dense") == 0
    said = capsys.readouterr().out
    assert "right  dense_backward" in said and re.search(
        r"time   dense_backward: yours takes \S+ ms, the solution \S+ ms: .*; the package itself takes \S+ ms", said
    )
    assert "next: minitorch-cnn exercise relu" in said

    write(mine, "relu", RELU.format("dy * (dy > 0)"))
    assert exercise(mine, "relu") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "right  relu_forward" and said[1].startswith("wrong  relu_backward: dx is wrong: your dx[")
    assert said[2] == "       the smallest case that fails:" and said[5].split()[-1] == "0"
    assert said[6].startswith("       for a hint: minitorch-cnn exercise relu") and "mask" not in "".join(said)

    assert exercise(mine, "softmax") == 1
    assert "open   softmax_cross_entropy: not written yet" in capsys.readouterr().out

    write(mine, "im2col", "not checked yet")
    assert main(["exercise", str(mine.folder)]) == 0
    said = capsys.readouterr().out
    assert "1 of 12 done" in said and "next: minitorch-cnn exercise relu" in said
    assert re.search(r"dense +done", said) and re.search(r"relu +wrong", said) and re.search(r"im2col +changed", said)
    assert "relu_backward: dx is wrong" in said

    solve(mine, "relu")  # but not checked again
    assert mine.standing(course.get("relu"))[0] == "changed"


def test_hints_come_in_three_degrees_and_begin_again_with_another_mistake(mine, capsys):
    write(mine, "relu", RELU.format("dy * (dy > 0)"))
    assert main(["exercise", "relu", str(mine.folder), "--hint"]) == 1
    said = capsys.readouterr().out.splitlines()[-2:]
    assert said[0].startswith("       hint 1 of 3: take one unit that was on") and "again gives the next" in said[1]
    assert main(["exercise", "relu", str(mine.folder), "--hint"]) == 1
    said = capsys.readouterr().out.splitlines()[-2:]
    assert said[0].startswith("       hint 2 of 3: the mask is computed from dy")

    relu, known = course.get("relu"), json.loads(mine.record.read_text())["relu"]
    same = runner.Outcome("wrong", ["words"], hints=known["hints"]["about"])
    mine.remember(relu, same)  # a check in between does not give a hint and does not take one away
    assert mine.next_hint(relu, same) == (3, "dx = dy where y > 0, and 0 elsewhere.")
    assert mine.next_hint(relu, same)[0] == 3
    mine.remember(relu, runner.Outcome("wrong", ["words"], hints=["look", "hint", "answer"]))
    assert mine.next_hint(relu, runner.Outcome("wrong", ["words"], hints=["look", "hint", "answer"])) == (1, "look")
    assert mine.next_hint(relu, runner.Outcome("wrong", ["words"])) is None


def test_a_stub_gets_a_first_hint_and_no_answer(mine, capsys):
    assert main(["exercise", "dense", str(mine.folder), "--hint"]) == 1
    said = capsys.readouterr().out
    assert "hint 1 of 1: write down the shapes" in said and "again" not in said and "x.T" not in said


def test_an_exercise_is_found_by_file_name_and_in_the_current_folder(mine, capsys, monkeypatch):
    solve(mine, "conv2d")
    assert main(["exercise", str(mine.file_of(course.get("conv2d")))]) == 0
    assert "right  conv2d_backward" in capsys.readouterr().out
    monkeypatch.chdir(mine.folder)
    assert main(["exercise", "conv2d"]) == 0
    assert "next: minitorch-cnn exercise max_pool\n" in capsys.readouterr().out
    assert main(["exercise"]) == 0 and "1 of 12 done in ." in capsys.readouterr().out


def test_names_of_two_words(mine, capsys, monkeypatch):
    monkeypatch.chdir(mine.folder)
    for words, function in ((["max", "pool"], "max_pool_backward"), (["softmax", "cross-entropy"], "softmax_cross")):
        assert main(["exercise", *words]) == 1
        assert f"open   {function}" in capsys.readouterr().out


def test_a_half_finished_file_counts_as_begun(mine):
    write(mine, "relu", RELU.format("never").replace("return never", "raise NotImplementedError"))
    outcome = runner.run(course.get("relu"), mine.file_of(course.get("relu")))
    assert outcome.state == "begun" and outcome.right == ["relu_forward"]
    assert outcome.lines == ["relu_backward: not written yet"]


def test_the_whole_folder_is_checked(mine, capsys):
    for name in ("dense", "sgd", "surgery"):
        solve(mine, name)
    for each in course.EXERCISES[3:7]:
        mine.file_of(each).unlink()
    assert exercise(mine, "all") == 1
    said = capsys.readouterr().out
    assert "3 of 12 right" in said and re.search(r"sgd +done", said) and re.search(r"im2col +not there", said)


MISBEHAVING = {
    "loops": ("def dense_backward(dy, x, kernel):\n    while True: pass", "dense_backward: still running after 1"
    " second"),
    "loops on import": ("while True: pass", "01_dense.py: still running after 1 second"),
    "sleeps": ("import time\ndef dense_backward(*a):\n    time.sleep(1000)", "dense_backward: still running"),
    "exits": ("import os\ndef dense_backward(*a):\n    os._exit(3)", "exited (exit code 3)"),
    "is killed": ("import os\ndef dense_backward(*a):\n    os.kill(os.getpid(), 9)", "exited (exit code -9)"),
    "calls exit": ("exit()", "01_dense.py: raised SystemExit: None (01_dense.py, line 1)"),
    "reads input": ("def dense_backward(*a):\n    return input()", "raised EOFError: EOF when reading a line"
    " (01_dense.py, line 2)"),
    "syntax": ("\n\ndef dense_backward(dy, x kernel):\n    pass", "raised SyntaxError: invalid syntax"),
    "imports": ("import no_such_module", "raised ModuleNotFoundError: No module named 'no_such_module'"
    " (01_dense.py, line 1)"),
    "no function": ("x = 1", "01_dense.py: expected a function dense_backward, found none"),
    "no function but a number": ("dense_backward = 3", "expected a function dense_backward, found int"),
    "raises": ("def dense_backward(dy, x, kernel):\n    return dy @ x[1:]", "raised ValueError: "),
    "many lines": ("def dense_backward(*a):\n    raise ValueError('one\\ntwo')", "raised ValueError: one two"
    " (01_dense.py, line 2)"),
    "raises Ctrl-C": ("def dense_backward(*a):\n    raise KeyboardInterrupt", "dense_backward: raised KeyboardInterrupt"
    " (01_dense.py, line 2)"),
    "raises Ctrl-C on import": ("raise KeyboardInterrupt", "01_dense.py: raised KeyboardInterrupt (01_dense.py, line"
    " 1)"),
    "leaves a generator": ("def dense_backward(*a):\n    raise GeneratorExit", "raised GeneratorExit"),
    "raises no Exception": ("class Mine(BaseException):\n    pass\ndef dense_backward(*a):\n    raise Mine('words')",
    "dense_backward: raised Mine: words (01_dense.py, line 4)"),
    "null bytes": ("def dense_backward(*a):\n    return '\x00'", "source code string cannot contain null bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISBEHAVING)
def test_code_that_misbehaves_gives_one_line(mine, capfd, name):
    source, words = MISBEHAVING[name]
    write(mine, "dense", source)
    assert main(["exercise", "dense", str(mine.folder), "--seconds", "1"]) == 1
    out, error = capfd.readouterr()
    lines = [line for line in out.splitlines() if line.startswith("wrong")]
    assert len(lines) == 1 and words in lines[0] and lines[0].count(", line ") <= 1, out
    assert "Traceback" not in out + error


def test_what_is_raised_only_while_it_is_timed_leaves_a_right_answer_right(mine, capfd):
    write(mine, "dense", "def dense_backward(dy, x, kernel):\n    if len(x) > 9: raise KeyboardInterrupt\n"
          "    return dy @ kernel.T, x.T @ dy, dy.sum(0)")  # fmt: skip
    assert exercise(mine, "dense") == 0
    out, error = capfd.readouterr()
    assert "right  dense_backward" in out and "Traceback" not in out + error


def test_output_of_the_learners_code_is_shown(mine, capfd):
    write(mine, "dense", "def dense_backward(dy, x, kernel):\n    print('here', x.shape)")
    assert exercise(mine, "dense") == 1
    assert "here (4, 4)" in capfd.readouterr().out


@pytest.mark.campaign
def test_a_right_answer_that_is_slow_counts_as_right(mine):
    write(mine, "dense", "import time\nfrom minitorch_cnn.exercises import course\n"
          "def dense_backward(dy, x, kernel):\n    if len(x) > 9: time.sleep(100)\n"
          "    return dy @ kernel.T, x.T @ dy, dy.sum(0)")  # fmt: skip
    outcome = runner.run(course.get("dense"), mine.file_of(course.get("dense")), 4)
    (time,) = outcome.times
    assert outcome.done and outcome.lines == [] and time.yours is None and 0 < time.ours < 1
    assert "right, but too slow to be timed" in str(time) and "within 4 seconds" in str(time)


def test_slow_loops_over_numbers_are_pointed_out(mine, capsys):
    write(mine, "relu", "import numpy as np\ndef relu_forward(x):\n    return np.maximum(x, 0)\n"
          "def relu_backward(dy, y):\n    dx = np.zeros_like(dy)\n    for place in np.ndindex(dy.shape):\n"
          "        dx[place] = dy[place] if y[place] > 0 else 0\n    return dx")  # fmt: skip
    assert exercise(mine, "relu") == 0
    said = capsys.readouterr().out
    assert re.search(r"relu_backward: yours .* \S+ times as long; .*\. A Python loop over single numbers is slow", said)
    assert "exercise 2 is done" in said


def test_every_numerical_function_is_timed():
    timed = {task.function for each in course.EXERCISES for task in each.tasks if task.large}
    every = {task.function for each in course.EXERCISES for task in each.tasks}
    assert every - timed == {"transplant", "lowest_trainable"}  # they only handle lists of layers


@pytest.mark.parametrize("name", PACKAGE)
def test_the_package_computes_the_same_results(name):
    task = next(task for each in course.EXERCISES for task in each.tasks if task.function == name)
    arguments = in_float32(task.cases()[0])
    wanted = task.truth(**copy.deepcopy(task.cases()[0]))
    got = PACKAGE[name](**arguments)()
    if name == "sgd_step":
        PACKAGE[name](**arguments)()
        PACKAGE[name](**arguments)()  # the right results of this task are those of three steps
        got = [*arguments["parameters"].values(), *arguments["velocity"].values()]
    for array, right in zip(got if isinstance(got, (tuple, list)) else [got], wanted.values(), strict=True):
        np.testing.assert_allclose(array, right, atol=1e-4)


def test_a_file_can_import_its_neighbours(mine):
    (mine.folder / "helper.py").write_text("def product(a, b):\n    return a @ b\n")
    write(mine, "dense", "from helper import product\ndef dense_backward(dy, x, kernel):\n"
          "    return product(dy, kernel.T), product(x.T, dy), dy.sum(0)")  # fmt: skip
    assert runner.run(course.get("dense"), mine.file_of(course.get("dense"))).done


@pytest.mark.parametrize("record", ["", "[]", "{", '{"dense": 3}', '{"dense": {"state": "<b>"}}', "\x00"])
def test_a_damaged_record_is_replaced(mine, capsys, record):
    solve(mine, "dense")
    mine.record.write_text(record)
    assert main(["exercise", str(mine.folder)]) == 0
    assert "0 of 12 done" in capsys.readouterr().out
    mine.remember(course.get("dense"), runner.Outcome("done"))
    assert json.loads(mine.record.read_text())["dense"]["state"] == "done"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["dense", "{empty}"], "01_dense.py: expected the file of exercise dense"),
        (["{empty}"], "no exercises found; create them: minitorch-cnn exercise start"),
        (["all", "{empty}"], "no exercises found"),
        (["tran", "{empty}"], "expected an exercise or one of start, all, train, export; did you mean train?"),
        (["conv3", "{empty}"], "conv3: expected one of dense, relu, softmax"),
        (["all", "--solution"], "--solution: expected the name of one exercise, got all"),
        (["train", "--solution"], "--solution: expected the name of one exercise, got train"),
        (["train", "--hint"], "--hint: expected the name of one exercise, got train"),
        (["all", "--hint"], "--hint: expected the name of one exercise, got all"),
        (["--hint"], "--hint: expected the name of one exercise, got no name"),
        (["start", "--seconds", "3"], "--seconds: expected an exercise, all or train, got start"),
        (["export", "x", "--solution"], "--solution: expected the name of one exercise, got export"),
        (["dense", "--solution", "--hint"], "--hint: expected it without --solution, got both"),
        (["dense", "--solution", "--seconds", "3"], "--seconds: expected it without --solution, got both"),
        (["start", "{file}/work"], "exercise start: cannot write"),
    ],
)
def test_a_usage_error_gives_one_line_and_exit_code_2(tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    places = {"empty": tmp_path / "empty", "file": tmp_path / "file"}
    assert main(["exercise", *[argument.format(**places) for argument in arguments]]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.strip().splitlines()) == 1


def test_the_solution_is_printed(capsys):
    assert main(["exercise", "col2im", "--solution"]) == 0
    assert capsys.readouterr().out == course.get("col2im").solution.read_text(encoding="utf-8")


def test_stubs_and_solutions_are_part_of_the_installed_package():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    patterns = re.findall(r'"(.*?)"', text.split("[tool.setuptools.package-data]")[1].split("[tool")[0])
    for each in course.EXERCISES:
        for path in (each.stub, each.solution):
            name = path.relative_to(ROOT / "minitorch_cnn").as_posix()
            assert path.is_file() and any(fnmatch.fnmatch(name, pattern) for pattern in patterns), name


def test_the_readme_lists_the_course():
    text = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    for each in course.EXERCISES:
        assert f"| {each.number} | `{each.name}` |" in text
        assert all(f"`{task.function}`" in text for task in each.tasks)
