"""What an exercise is: functions to write, cases to try them on, the truth, and the mistakes one makes on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
STEP = 1e-5  # of the difference quotients; the functions are linear or smooth, the numbers about 1


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: the hint for who gives it, and (**arguments) -> {result: the wrong numbers}.

    Each of the results may be wrong in this way by itself; `joint` says that all of them are if one is.
    """

    hint: str
    wrong: Callable
    joint: bool = False


@dataclass(frozen=True)
class Task:
    """One function to write.

    Fields: `function` its name; `results` the names of what it returns; `cases` () -> a list of {argument: value};
    `truth` (**arguments) -> {result: value}; `mistakes`; `large` () -> arguments to time it on; `call`
    (function, arguments) -> {result: value}, where calling it is more than passing the arguments; `judge` (function) ->
    a hint or None takes the place of all that where results are no numbers; `keeps` False for a function that is to
    change its arguments.
    """

    function: str
    results: tuple = ()
    cases: Callable | None = None
    truth: Callable | None = None
    mistakes: tuple = ()
    large: Callable | None = None
    call: Callable | None = None
    judge: Callable | None = None
    keeps: bool = True


@dataclass(frozen=True)
class Exercise:
    """A file of the course. Fields: its number and name, a title, and the tasks in it."""

    number: int
    name: str
    title: str
    tasks: tuple = field(repr=False)

    @property
    def file_name(self):
        """As in `06_conv2d.py`."""
        return f"{self.number:02}_{self.name}.py"

    @property
    def stub(self):
        """The path of the file that the learner gets."""
        return HERE / "stubs" / self.file_name

    @property
    def solution(self):
        """The path of ours."""
        return HERE / "solutions" / self.file_name


def numbers(seed, *shape):
    """An array of numbers that all differ and are not near 0: no ties, no kinks."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(np.linspace(-1.5, 1.5, size) + 0.4 / size).reshape(shape)


def numerical_gradients(forward, dy, **arrays):
    """{"d" + name: dL/darray} of L = sum(forward(**arrays) * dy) by central differences, for float64 arrays.

    This is the definition of what the learner's backward has to give; no backward of ours is in it.
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
