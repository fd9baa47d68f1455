"""Writes a folder for a class: the files for students, tests, a grading script, and apart from them the answers.

students/      the stubs, and a page that says how to work with them
tests/         one test for each function, for pytest
grade.py       prints the points of a submission as JSON
answer_key/    the solutions, and notebooks for nbgrader that contain them (nbgrader takes them out)
"""

import json
import shutil
from pathlib import Path
from typing import Any

from minitorch_cnn.errors import ArgumentError, CheckpointError
from minitorch_cnn.exercises.course import EXERCISES
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.grading import POINTS

GRADE = '''"""Print the points of a submission as JSON: python grade.py SUBMISSION [--seconds S]."""

from minitorch_cnn.exercises.grading import main

raise SystemExit(main())
'''
TESTS = '''"""The functions of a submission, one test each: SUBMISSION=folder pytest tests (default: ../students)."""

import os
from pathlib import Path

import pytest

from minitorch_cnn.exercises import course, runner

FOLDER = Path(os.environ.get("SUBMISSION", Path(__file__).parents[1] / "students"))
FUNCTIONS = [(exercise, task.function) for exercise in course.EXERCISES for task in exercise.tasks]
OUTCOMES = {}  # each file is checked once, in a process of its own


@pytest.mark.parametrize(("exercise", "function"), FUNCTIONS, ids=[name for _, name in FUNCTIONS])
def test_function(exercise, function):
    path = FOLDER / exercise.file_name
    assert path.is_file(), f"{path.name}: not there"
    outcome = OUTCOMES.setdefault(exercise.name, None) or runner.run(exercise, path)
    OUTCOMES[exercise.name] = outcome
    assert function in outcome.right or outcome.done, "\\n".join([*outcome.lines, *outcome.case])
'''
README = """# Exercises

Install the package as your teacher says, then work in this folder. Each file has the formula, the shapes and an empty
function.

    minitorch-cnn exercise dense .            checks 01_dense.py and says what is wrong
    minitorch-cnn exercise dense . --hint     a hint; again, the next one
    minitorch-cnn exercise .                  your progress
    minitorch-cnn exercise train .            trains a network of your own functions, when the first eight are right

| file | what | minutes | difficulty | points |
|---|---|---|---|---|
"""


def export(folder: str | Path) -> list[str]:
    """Write the folder for a class and return the names of what it contains.

    Raises ArgumentError if the folder exists and is not empty, and CheckpointError if it cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArgumentError(f"exercise export: expected a new or an empty folder, got {folder}")
    try:
        for part in ("students", "tests", "answer_key/solutions", "answer_key/nbgrader"):
            (folder / part).mkdir(parents=True)
        for exercise in EXERCISES:
            shutil.copyfile(exercise.stub, folder / "students" / exercise.file_name)
            shutil.copyfile(exercise.solution, folder / "answer_key" / "solutions" / exercise.file_name)
            name = exercise.file_name.replace(".py", ".ipynb")
            _write(folder / "answer_key" / "nbgrader" / name, json.dumps(notebook(exercise), indent=1))
        rows = [
            f"| `{each.file_name}` | {each.title} | {each.minutes} | {each.difficulty} | {POINTS[each.difficulty]} |\n"
            for each in EXERCISES
        ]
        _write(folder / "students" / "README.md", README + "".join(rows))
        _write(folder / "tests" / "test_exercises.py", TESTS)
        _write(folder / "grade.py", GRADE)
    except OSError as error:
        raise CheckpointError(f"exercise export: cannot write {folder}: {error.strerror or error}") from None
    return sorted(path.name for path in folder.iterdir())


def notebook(exercise: Exercise) -> dict[str, Any]:
    """The exercise as a source notebook of nbgrader: text, the function with its solution marked, and a test.

    `nbgrader generate_assignment` takes out what stands between the marks.
    """
    text, functions = _docstring(exercise.stub.read_text(encoding="utf-8"))
    _, solution = _docstring(exercise.solution.read_text(encoding="utf-8"))
    names = [task.function for task in exercise.tasks]
    test = ["from minitorch_cnn.exercises.grading import check_function\n"]
    test += [f"check_function({name!r}, {name})" for name in names]
    marked = f"# Write these functions: {', '.join(names)}\n### BEGIN SOLUTION\n{solution.strip()}\n### END SOLUTION\n"
    begin = f"{functions.strip()}\n"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": f"```\n{text.strip()}\n```"},
        _code(begin, f"{exercise.name}_stub", locked=True),
        _code(marked, exercise.name, solution=True),
        _code("\n".join(test), f"{exercise.name}_test", grade=True, locked=True, points=POINTS[exercise.difficulty]),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(cells):
        cell["id"] = f"{exercise.name.replace('_', '-')}-{number}"
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _code(source, identifier, *, grade=False, solution=False, locked=False, points=None):
    about = {"schema_version": 3, "grade_id": identifier, "grade": grade, "solution": solution, "locked": locked,
             "task": False}  # fmt: skip
    about |= {"points": points} if grade else {}
    return {"cell_type": "code", "metadata": {"nbgrader": about}, "source": source, "execution_count": None,
            "outputs": []}  # fmt: skip


def _docstring(source):
    """(the docstring of a file, the rest)."""
    _, text, rest = source.split('"""', 2)
    return text, rest


def _write(path, text):
    path.write_text(text, encoding="utf-8")
