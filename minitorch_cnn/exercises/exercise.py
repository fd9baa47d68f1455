"""What an exercise consists of: functions to write, cases to test them, the right results and common mistakes."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
STEP = 1e-5  # of the difference quotients; it suits functions that are linear or smooth and numbers of size 1


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: the hint for the learner, and (**arguments) -> {result: the wrong numbers}.

    Each result may be wrong in this way independently; `joint` says that all are wrong if one is. `look` is the hint
    before this one: where to look, without the answer; if empty, that of the task.
    """

    hint: str
    wrong: Callable[..., dict[str, Any]]
    joint: bool = False
    look: str = ""


@dataclass(frozen=True)
class Task:
    """One function to write.

    Fields: `function`, its name; `results`, the names of its results; `cases` () -> a list of {argument: value};
    `truth` (**arguments) -> {result: right value}; `mistakes`; `large` () -> the arguments for timing it; `call`
    (function, arguments) -> {result: value}, if a call takes more than passing the arguments; `judge` (function) ->
    what is wrong or None, which replaces all of these if the results are not numbers; `keeps`, False if the function
    is supposed to change its arguments; `look`, the first hint: a question that does not give the answer; `small` ()
    -> tiny cases with whole numbers, among which the smallest that fails is shown; `after`, words above its results.
    """

    function: str
    results: tuple[str, ...] = ()
    cases: Callable = list
    truth: Callable = dict
    mistakes: tuple[Mistake, ...] = ()
    large: Callable | None = None
    call: Callable | None = None
    judge: Callable | None = None
    keeps: bool = True
    look: str = ""
    small: Callable = list
    after: str = ""


@dataclass(frozen=True)
class Exercise:
    """One file of the course: its number, name and title, the tasks in it, how long it takes and how hard it is."""

    number: int
    name: str
    title: str
    tasks: tuple[Task, ...] = field(repr=False)
    minutes: int = 30  # for somebody who has read the stop of the tour about it
    difficulty: str = "medium"  # easy, medium or hard

    @property
    def file_name(self) -> str:
        """The name of the file, such as `06_conv2d.py`."""
        return f"{self.number:02}_{self.name}.py"

    @property
    def stub(self) -> Path:
        """The path of the file that the learner starts from."""
        return HERE / "stubs" / self.file_name

    @property
    def solution(self) -> Path:
        """The path of the reference solution."""
        return HERE / "solutions" / self.file_name

    def answer(self, function: str) -> str:
        """What a function of the solution does, in one or two sentences: the last of the hints."""
        for node in ast.parse(self.solution.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == function:
                return " ".join((ast.get_docstring(node) or "").split())
        return ""


def numbers(seed: int, *shape: int) -> np.ndarray:
    """A float64 array of distinct numbers that are not close to 0, so that there are no ties and no kinks."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(np.linspace(-1.5, 1.5, size) + 0.4 / size).reshape(shape)


def whole_numbers(*shape: int) -> np.ndarray:
    """The numbers 1, 2, 3, ... in no order, some of them negative, as float64: easy to follow by hand."""
    size = int(np.prod(shape))
    signs = np.where(np.arange(size) % 3 == 1, -1.0, 1.0)
    return (np.random.default_rng(size).permutation(size) + 1.0).reshape(shape) * signs.reshape(shape)


def numerical_gradients(forward: Callable, dy: np.ndarray | float, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients {"d" + name: dL/darray} of L = sum(forward(**arrays) * dy) by central differences, in float64.

    The learner's backward pass must match this definition of the gradient, which uses no backward pass of ours.
    """
    gradients = {}
    for name, array in arrays.items():
        moved, gradient = array.copy(), np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            values = []
            for step in (STEP, -STEP):
                moved[index] = array[index] + step
                values.append(float((forward(**{**arrays, name: moved}) * dy).sum()))
            moved[index] = array[index]
            gradient[index] = (values[0] - values[1]) / (2 * STEP)
        gradients[f"d{name}"] = gradient
    return gradients
