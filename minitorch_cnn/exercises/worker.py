"""Checks one file in a process of its own: `python -m minitorch_cnn.exercises.worker NAME FILE RESULT`.

A learner's code may loop for ever, call exit or bring the interpreter down, so it runs here, and what is known is
written to RESULT line by line as JSON: {"at": function} before each check, then {"state": ..., "lines": [...]}, then
times.
"""

import contextlib
import importlib.util
import json
import os
import sys
from pathlib import Path

from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import NotBegun, Wrong, check, guarded, in_float32
from minitorch_cnn.exercises.in_the_package import PACKAGE
from minitorch_cnn.exercises.timing import fastest


def load(path):
    """The module of a learner's file; Wrong where importing it fails. Its folder can be imported from."""
    sys.path.insert(0, str(path.parent))
    with guarded(path.name, path):
        specification = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return module


def function_of(module, name, path):
    """The function called `name`; Wrong where there is none."""
    function = getattr(module, name, None)
    if function is None:
        raise Wrong(f"{path.name}: expected a function {name}, found none", "was it renamed? the stub has its name")
    if not callable(function):
        raise Wrong(f"{path.name}: expected a function {name}, found {type(function).__name__}")
    return function


def check_file(exercise, path, tell):
    """Check the functions of a file one after the other, telling `tell` (a function of a dictionary) what is known."""
    done = []
    try:
        tell({"at": path.name})
        module = load(path)
        for task in exercise.tasks:
            tell({"at": task.function})
            check(task, function_of(module, task.function, path), path)
            done.append(task.function)
    except NotBegun:
        here = exercise.tasks[len(done)].function
        tell({"state": "begun" if done else "not begun", "right": done, "lines": [f"{here}: not written yet"]})
        return
    except Wrong as wrong:
        lines = [wrong.words] + ([f"hint: {wrong.hint}"] if wrong.hint else [])
        tell({"state": "wrong", "right": done, "lines": lines})
        return
    tell({"state": "done", "right": done, "lines": []})
    solutions = load(exercise.solution)
    for task in exercise.tasks:
        if task.large is not None:
            with contextlib.suppress(Exception):
                _time(task, getattr(solutions, task.function), getattr(module, task.function), tell)


def _time(task, solution, learners, tell):
    """Tell the times on the large case, each as soon as it is known: a slow one may be stopped."""
    arguments = in_float32(task.large())
    tell({"timed": task.function, "ours": fastest(lambda: solution(*arguments.values()))})
    tell({"timed": task.function, "yours": fastest(lambda: learners(*arguments.values()))})
    if task.function in PACKAGE:
        package = PACKAGE[task.function](**arguments)
        package()  # what is compiled is compiled now
        tell({"timed": task.function, "package": fastest(package)})


def main(name, file, result):
    """Check a file, the known facts going to `result`."""
    with open(result, "a", encoding="utf-8") as facts:

        def tell(fact):
            print(json.dumps(fact), file=facts, flush=True)

        check_file(course.get(name), Path(file), tell)
    sys.stdout.flush()
    os._exit(0)  # whatever the learner's file left running


if __name__ == "__main__":
    main(*sys.argv[1:])
