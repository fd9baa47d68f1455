"""Checks one file in a separate process, which the runner starts with NAME FILE RESULT.

A learner's code may loop forever, call exit or crash the interpreter, so it runs in this process. The results are
written to RESULT line by line as JSON: {"at": function} before each check, then {"state": ..., "lines": [...]}, then
the smallest case that fails or, if all is right, the milestone and the times.
"""

import contextlib
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from minitorch_cnn.exercises import course, milestones
from minitorch_cnn.exercises.checking import NotBegun, Wrong, check, guarded, in_float32
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.in_the_package import PACKAGE
from minitorch_cnn.exercises.smallest import smallest_case
from minitorch_cnn.exercises.timing import fastest

Tell = Callable[[dict[str, Any]], None]  # receives one result
WATCH = 0.5  # seconds between looks at the parent process


def end_with_parent() -> None:
    """End this process and its children when the process that started it has ended, however it ended.

    Otherwise an endless loop in a learner's code would go on after a grader was stopped by SIGTERM or SIGKILL. Ctrl-C
    is ignored here, because the parent stops this process then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        if os.name == "posix":
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def load(path: Path) -> ModuleType:
    """Import a learner's file as a module; it may import other files from its own folder.

    Raises Wrong if the import fails.
    """
    with _its_folder_first(str(path.parent)), guarded(path.name, path):
        specification = importlib.util.spec_from_file_location(path.stem, path)
        assert specification is not None and specification.loader is not None  # the name ends in .py
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _its_folder_first(folder: str) -> Iterator[None]:
    """While a learner's file is imported, its folder is the first place where modules are looked for.

    Afterwards it is the last, so that a file in it called numba.py does not hide Numba from the package.
    """
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path[:] = [*(place for place in sys.path if place != folder), folder]


def function_of(module: ModuleType, name: str, path: Path) -> Callable:
    """The function called `name`; raises Wrong if there is none."""
    function = getattr(module, name, None)
    if function is None:
        raise Wrong(
            f"{path.name}: expected a function {name}, found none", "was it renamed? The stub has the right name"
        )
    if not callable(function):
        raise Wrong(f"{path.name}: expected a function {name}, found {type(function).__name__}")
    return function


def check_file(exercise: Exercise, path: Path, tell: Tell) -> None:
    """Check the functions of a file one after another and pass each result to `tell` as a dictionary."""
    done: list[str] = []
    try:
        tell({"at": path.name})
        module = load(path)
        for task in exercise.tasks:
            tell({"at": task.function})
            check(task, function_of(module, task.function, path), path)
            done.append(task.function)
    except NotBegun:
        here = exercise.tasks[len(done)]
        lines = [f"{here.function}: not written yet"]
        tell({"state": "begun" if done else "not begun", "right": done, "lines": lines, "hints": [here.look]})
        return
    except Wrong as wrong:
        lines = [wrong.words] + ([f"hint: {wrong.hint}"] if wrong.hint and not wrong.results else [])
        task = exercise.tasks[min(len(done), len(exercise.tasks) - 1)]
        hints = [wrong.look, wrong.hint, exercise.answer(task.function)] if wrong.results else []
        tell({"state": "wrong", "right": done, "lines": lines, "hints": [hint for hint in hints if hint]})
        if wrong.name:
            tell({"case": smallest_case(task, getattr(module, task.function), wrong.name)})
        return
    tell({"state": "done", "right": done, "lines": []})
    solutions, large = load(exercise.solution), {}
    for task in exercise.tasks:
        if task.large is not None:
            with contextlib.suppress(BaseException):
                large[task.function] = in_float32(task.large())
                _tell_time(task.function, getattr(solutions, task.function), large[task.function], "ours", tell)
    with contextlib.suppress(BaseException):
        learners = {task.function: getattr(module, task.function) for task in exercise.tasks}
        tell({"milestone": milestones.of(exercise.name, learners)})
    for name, arguments in large.items():
        with contextlib.suppress(BaseException):
            _tell_time(name, getattr(module, name), arguments, "yours", tell)
            if name in PACKAGE:
                package = PACKAGE[name](**arguments)
                package()  # the first call compiles what is needed
                tell({"timed": name, "package": fastest(package)})


def _tell_time(name: str, function: Callable, arguments: dict[str, Any], whose: str, tell: Tell) -> None:
    """Report the time on the large case, as soon as it is measured, because a slow function may be stopped."""
    tell({"timed": name, whose: fastest(lambda: function(*arguments.values()))})


def main(name: str, file: str, result: str) -> None:
    """Check `file` as the exercise `name` and append the results to the file `result`."""
    end_with_parent()
    with open(result, "a", encoding="utf-8") as facts:

        def tell(fact: dict[str, Any]) -> None:
            print(json.dumps(fact), file=facts, flush=True)

        check_file(course.get(name), Path(file), tell)
    sys.stdout.flush()
    os._exit(0)  # do not wait for threads that the learner's file started


if __name__ == "__main__":
    main(*sys.argv[1:])
