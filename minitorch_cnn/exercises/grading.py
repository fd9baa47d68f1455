"""Grades a folder of exercises: points as a dictionary that any autograder can read.

python -m minitorch_cnn.exercises.grading FOLDER        prints it as JSON
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minitorch_cnn.arguments import above_zero
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.exercises import course, runner
from minitorch_cnn.exercises.checking import NotBegun, Wrong, check
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.smallest import smallest_case

STANDARD_ERROR = 2  # its number
POINTS = {"easy": 5, "medium": 10, "hard": 15}  # of an exercise, by its difficulty


def grade(folder: str | Path, seconds: float = runner.SECONDS) -> dict[str, Any]:
    """The points of the submission in `folder`: {"score", "max_score", "tests": [one for each exercise]}.

    A test has "name", "score", "max_score", "state" and "output", the lines of the check. The points of an exercise are
    shared equally by its functions; a file that is missing gets none. Each file runs for at most `seconds`, in a
    process of its own; what it prints goes to standard error. This is the format of Gradescope's results.json. Raises
    ArgumentError if there is no such folder.
    """
    folder, seconds = Path(folder), above_zero(seconds, "grade: seconds")
    if not folder.is_dir():
        raise ArgumentError(f"grade: expected the folder with a submission, got {folder}, which is not there")
    tests = [_grade(exercise, folder / exercise.file_name, seconds) for exercise in course.EXERCISES]
    return {
        "score": round(sum(test["score"] for test in tests), 2),
        "max_score": sum(test["max_score"] for test in tests),
        "tests": tests,
    }


def _grade(exercise: Exercise, path: Path, seconds: float) -> dict[str, Any]:
    points = POINTS[exercise.difficulty]
    if path.is_file():
        outcome = runner.run(exercise, path, seconds, prints=STANDARD_ERROR)
    else:
        outcome = runner.Outcome("not begun", [f"{path.name}: not there"])
    right = len(exercise.tasks) if outcome.done else len({task.function for task in exercise.tasks} & {*outcome.right})
    return {
        "name": exercise.file_name,
        "score": round(points * right / len(exercise.tasks), 2),
        "max_score": points,
        "state": outcome.state,
        "output": "\n".join([*outcome.lines, *outcome.case]),
    }


def check_function(name: str, function: Callable) -> None:
    """Raise AssertionError, which says what is wrong, unless `function` does what the exercises ask of `name`.

    For the tests of a notebook: the function runs in this process and without a limit of time. Raises ArgumentError if
    no exercise asks for such a function.
    """
    task = next(task for task in course.get(name).tasks if name in (task.function, course.get(name).name))
    try:
        check(task, function)
    except NotBegun:
        raise AssertionError(f"{task.function}: not written yet") from None
    except Wrong as wrong:
        case = smallest_case(task, function, wrong.name) if wrong.name else []
        raise AssertionError("\n".join([wrong.words, *case])) from None


def main(arguments: list[str] | None = None) -> int:
    """Print the points of a folder as JSON; the exit code is 0 whatever the points are, and 2 without a folder."""
    parser = argparse.ArgumentParser(description="Grade a folder of exercises and print the points as JSON.")
    parser.add_argument("folder", help="the folder with the student's files")
    parser.add_argument("--seconds", type=float, default=runner.SECONDS, help="that each file may run (%(default)g)")
    options = parser.parse_args(arguments)
    try:
        points = grade(options.folder, options.seconds)
    except ArgumentError as error:
        parser.error(str(error))
    print(json.dumps(points, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
