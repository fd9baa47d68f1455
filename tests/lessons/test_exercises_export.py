"""`exercise export`: a folder for a class, its grading script and its notebooks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minitorch_cnn.cli import main
from minitorch_cnn.exercises import course, grading, runner
from minitorch_cnn.exercises.export import export, notebook

ROOT = Path(__file__).parents[2]
RELU = "def relu_forward(x):\n    return x * (x > 0)\ndef relu_backward(dy, y):\n    return dy\n"


def test_the_folder_has_the_answers_apart(tmp_path, capsys):
    folder = tmp_path / "class"
    assert main(["exercise", "export", str(folder)]) == 0
    assert "answer_key, grade.py, students, tests" in capsys.readouterr().out
    for each in course.EXERCISES:
        handed_out = (folder / "students" / each.file_name).read_text(encoding="utf-8")
        assert handed_out == each.stub.read_text(encoding="utf-8")
        assert (folder / "answer_key" / "solutions" / each.file_name).read_bytes() == each.solution.read_bytes()
        assert f"`{each.file_name}` | {each.title}" in (folder / "students" / "README.md").read_text(encoding="utf-8")
    outside = [path for path in folder.rglob("*") if path.is_file() and "answer_key" not in path.parts]
    assert len(outside) == 15 and not any("dy @ kernel.T" in path.read_text(encoding="utf-8") for path in outside)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["exercise", "export", str(tmp_path)]) == 2
    assert "expected a new or an empty folder" in capsys.readouterr().err and len([*tmp_path.iterdir()]) == 1
    assert main(["exercise", "export"]) == 2
    assert "exercise export: expected the folder to write, got none" in capsys.readouterr().err


def test_points_are_shared_by_the_functions_of_an_exercise(tmp_path, monkeypatch):
    for each in course.EXERCISES[:3]:
        (tmp_path / each.file_name).write_text("")
    outcomes = {"dense": runner.Outcome("done"), "softmax": runner.Outcome("not begun")}  # fmt: skip
    outcomes["relu"] = runner.Outcome("wrong", ["bad"], ["relu_forward"], case=["x 1"])
    monkeypatch.setattr(runner, "run", lambda exercise, path, seconds, prints: outcomes[exercise.name])
    points = json.loads(json.dumps(grading.grade(tmp_path)))
    assert points["score"] == 5 + 2.5 and points["max_score"] == 4 * 5 + 6 * 10 + 2 * 15 and len(points["tests"]) == 12
    assert points["tests"][1] == {
        "name": "02_relu.py", "score": 2.5, "max_score": 5, "state": "wrong", "output": "bad\nx 1"
    }  # fmt: skip
    assert points["tests"][3]["output"] == "04_im2col.py: not there"


def test_the_scripts_grade_a_submission(tmp_path):
    export(tmp_path / "class")
    (tmp_path / "hers").mkdir()
    (tmp_path / "hers" / "02_relu.py").write_text(RELU)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SUBMISSION": str(tmp_path / "hers")}
    command = [sys.executable, "grade.py", str(tmp_path / "hers")]
    done = subprocess.run(command, cwd=tmp_path / "class", env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["score"] == 2.5, done.stderr
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", "-k", "relu"]
    done = subprocess.run(command, cwd=tmp_path / "class", env=environment, capture_output=True, text=True)
    assert "1 failed, 1 passed" in done.stdout and "relu_backward: dx is wrong" in done.stdout


@pytest.mark.parametrize("exercise", course.EXERCISES, ids=lambda exercise: exercise.name)
def test_the_notebook_passes_with_the_solution_and_not_without(exercise):
    text, stub, solution, test = notebook(exercise)["cells"]
    about = [cell["metadata"]["nbgrader"] for cell in (stub, solution, test)]
    assert [(each["solution"], each["grade"], each["locked"]) for each in about] == [
        (False, False, True), (True, False, False), (False, True, True)
    ]  # fmt: skip
    assert len({each["grade_id"] for each in about}) == 3 and about[2]["points"] > 0
    assert solution["source"].index("### BEGIN SOLUTION") < solution["source"].index("### END SOLUTION")
    names = {}
    exec(stub["source"], names)
    with pytest.raises(AssertionError, match="not written yet"):
        exec(test["source"], names)
    exec(solution["source"], names)
    exec(test["source"], names)


def test_a_notebook_says_what_is_wrong_with_the_smallest_case():
    names = {}
    exec(RELU, names)
    with pytest.raises(AssertionError, match=r"(?s)dx is wrong: .*the smallest case that fails:.*it should be  0"):
        grading.check_function("relu_backward", names["relu_backward"])


def test_the_timetable_names_slides_that_exist_and_every_exercise_once():
    page = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    rows = [line.split("|")[2:6] for line in page.splitlines() if re.match(r"\| \d ", line)]
    index = (ROOT / "docs" / "slides.md").read_text(encoding="utf-8")
    slides = [f"{number} {name}" for number, name in re.findall(r"^\| (\d+) \| ([^|]+) \|", index, re.MULTILINE)]
    named = [name.strip() for row in rows for name in row[0].split(";")]
    assert len(rows) == 6 and all(any(slide.startswith(name) for slide in slides) for name in named), named
    listed = re.findall(r"`(\w+)`", " ".join(row[2] for row in rows))
    assert sorted(listed) == sorted(each.name for each in course.EXERCISES)
    minutes = {each.name: each.minutes for each in course.EXERCISES}
    for row in rows:
        assert sum(minutes[name] for name in re.findall(r"`(\w+)`", row[2])) == int(page_minutes(page, row))


def page_minutes(page, row):
    """The last column of a row of the timetable."""
    line = next(line for line in page.splitlines() if row[0] in line)
    return line.rstrip(" |").rpartition("|")[2]


def test_what_a_submission_prints_is_no_part_of_the_points(tmp_path):
    (tmp_path / "02_relu.py").write_text(f"print('{{')\n{RELU}")
    command = [sys.executable, "-m", "minitorch_cnn.exercises.grading", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert json.loads(done.stdout)["score"] == 2.5 and "{" in done.stderr


@pytest.mark.parametrize("arguments", [["{}/nowhere"], ["{}", "--seconds", "nan"], ["{}", "--seconds", "-1"]])
def test_a_grading_that_cannot_begin_says_so(tmp_path, capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        grading.main([argument.format(tmp_path) for argument in arguments])
    out, error = capsys.readouterr()
    assert ended.value.code == 2 and not out and ": error: grade: " in error
