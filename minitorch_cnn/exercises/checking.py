"""Checks one function of a learner against its task and says in words what is wrong first."""

import contextlib
import copy
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.exercises.exercise import Task
from minitorch_cnn.files.printable import counted
from minitorch_cnn.gradients.differences import close, difference

TOLERANCE = 1e-6  # relative to the largest number
SHOWN = 5  # significant digits of the numbers in a message


class Wrong(Exception):
    """Raised with a message that says what is wrong, and a hint if there is one.

    Wrong results (`results` is true) have a hint that leads to the answer, so the learner must ask for it; `look` is
    then the hint before it, and `name` the array that is wrong. Other hints explain Python's or NumPy's messages.
    """

    def __init__(
        self, words: str, hint: str | None = None, *, results: bool = False, name: str = "", look: str = ""
    ) -> None:
        super().__init__(words)
        self.words, self.hint, self.results, self.name, self.look = words, hint, results, name, look


class NotBegun(Exception):
    """Raised if the function is still the unchanged stub."""


def check(task: Task, function: Callable, path: Path | None = None) -> None:
    """Check that `function` does what `task` asks; `path`, the learner's file, gives line numbers for the messages.

    Raises Wrong if it does not, and NotBegun if the function is still the stub.
    """
    if task.judge is not None:
        with guarded(task.function, path):
            complaint = task.judge(function)
        if complaint:
            words, _, hint = complaint.partition("; hint: ")
            raise Wrong(f"{task.function}: {words}", hint or None, results=True, look=task.look)
        return
    for arguments in task.cases():
        got = results_of(task, function, arguments, path)
        _compare(task, arguments, got, task.truth(**copy.deepcopy(arguments)))
        _check_precision(task, got, "float64")
    for arguments in in_float32(task.cases()):
        _check_precision(task, results_of(task, function, arguments, path), "float32")


def results_of(task: Task, function: Callable, arguments: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """The results of one call as {result: value}.

    The function receives copies of the arguments. Raises Wrong if it changes one, unless the task allows that, or if
    the number of results is wrong.
    """
    mine = copy.deepcopy(arguments)
    with guarded(task.function, path, arguments):
        if task.call is not None:
            return task.call(function, mine)
        returned = function(*mine.values())
    if task.keeps:
        for name, value in arguments.items():
            if isinstance(value, np.ndarray) and not np.array_equal(value, mine[name]):
                hint = "the caller still needs this array: work on a copy or on a new array"
                raise Wrong(f"{task.function}: changes its argument {name}", hint)
    if returned is None:
        raise Wrong(f"{task.function}: returns None", "is the `return` missing?")
    if len(task.results) == 1:
        returned = (returned,)
    wanted = f"expected {counted(len(task.results), 'result')} ({', '.join(task.results)})"
    if not isinstance(returned, (tuple, list)):
        raise Wrong(f"{task.function}: {wanted}, got one {type(returned).__name__}")
    if len(returned) != len(task.results):
        raise Wrong(f"{task.function}: {wanted}, got {len(returned)}")
    return dict(zip(task.results, returned))


@contextlib.contextmanager
def guarded(name: str, path: Path | None, arguments: dict[str, Any] | None = None) -> Iterator[None]:
    """Turn every exception of the learner's code into a Wrong with one line that says where it happened.

    `arguments` are those of the call, because their shapes explain most exceptions.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    except (Wrong, NotBegun):
        raise
    except NotImplementedError as error:
        raise NotBegun(name) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            raise  # Ctrl-C; a process that ignores it, like the worker, can have this only from the learner's code
        raise Wrong(f"{name}: {in_one_line(error, path)}", _hint_for_error(error, arguments)) from error


def _hint_for_error(error: BaseException, arguments: dict[str, Any] | None) -> str | None:
    """A hint that explains an exception, or None if its own message is clear enough."""
    words = _said_by(error)
    if isinstance(error, NameError) and "'np'" in words:
        return "`import numpy as np` belongs at the top of the file"
    if isinstance(error, ValueError) and "truth value" in words:
        return "`if` needs a single True or False, but an array has many: use np.where(x > 0, ...) or a mask, x > 0"
    if isinstance(error, TypeError) and "positional argument" in words:
        return f"the function is called with {', '.join(arguments)}" if arguments else None
    if isinstance(error, KeyError) and arguments:
        key = error.args[0] if error.args and isinstance(error.args[0], str) else ""
        lacking = [name for name, value in arguments.items() if isinstance(value, dict) and key not in value]
        return f"{' and '.join(lacking)} may lack a name: skip frozen names before looking them up" if lacking else None
    if isinstance(error, RecursionError):
        return "the function calls itself endlessly"
    if isinstance(error, (ValueError, IndexError)) and arguments:
        shapes = [f"{name} {value.shape}" for name, value in arguments.items() if isinstance(value, np.ndarray)]
        others = [f"{name} = {value}" for name, value in arguments.items() if isinstance(value, (tuple, int))]
        return f"the function was called with {', '.join([*shapes, *others])}" if shapes else None
    return None


def _said_by(error: BaseException) -> str:
    """The message of an exception; nothing if it has none that can be read."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:
        return ""


def in_one_line(error: BaseException, path: Path | None) -> str:
    """An exception as one line, such as `raised ValueError: message (06_conv2d.py, line 31)`."""
    words = " ".join(_said_by(error).split())
    place = ""
    if path is not None:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        lines = [error.lineno] if isinstance(error, SyntaxError) and error.lineno else lines
        place = f" ({path.name}, line {lines[-1]})" if lines else ""
    return f"raised {type(error).__name__}{': ' if words else ''}{words[:300]}{place}"


def _compare(task, arguments, got, wanted):
    for name, right in wanted.items():
        value = got[name]
        _check_kind(task, arguments, name, value, right)
        value, right = np.asarray(value, float), np.asarray(right, float)
        if close(value, right, TOLERANCE):
            continue
        hint, look = _hint(task, arguments, name, got, wanted)
        words = f"{task.function}: {name} is wrong: {_worst(name, value, right)}"
        raise Wrong(words, hint, results=True, name=name, look=look)


def _check_kind(task, arguments, name, value, right):
    shape = np.shape(right)
    if value is None:
        raise Wrong(f"{task.function}: {name} is None")
    if not shape and not isinstance(value, (np.ndarray, np.generic, int, float, complex)):
        raise Wrong(f"{task.function}: {name}: expected a number, got {type(value).__name__}")
    if shape and not isinstance(value, (np.ndarray, np.generic)):
        hint = "np.array(...) makes an array from a list" if isinstance(value, (list, tuple)) else None
        raise Wrong(f"{task.function}: {name}: expected an array of shape {shape}, got {type(value).__name__}", hint)
    if np.asarray(value).dtype.kind not in "fiub":
        raise Wrong(f"{task.function}: {name}: expected real numbers, got dtype {np.asarray(value).dtype}")
    if np.shape(value) != shape:
        hint, look = _recognised(task, arguments, name, value) or (_hint_for_shape(value, shape), task.look)
        words = f"{task.function}: {name}: expected shape {shape}, got {np.shape(value)}"
        raise Wrong(words, hint, results=True, name=name, look=look)
    if np.asarray(value).dtype.kind != "f" and np.asarray(right).dtype.kind == "f":
        raise Wrong(
            f"{task.function}: {name}: expected floating-point numbers, got integers ({np.asarray(value).dtype})",
            "an integer array cuts off everything after the decimal point: give it the dtype of the input",
        )


def _check_precision(task, results, wanted):
    """Raise Wrong if an array of the results has another precision than the input; of a single number any will do."""
    for name, value in results.items():
        if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "f" and value.dtype != wanted:
            words = f"the numbers of {name} are right, but they are {value.dtype} for {wanted} input"
            made = "np.zeros, np.ones and np.eye create float64: " if value.dtype == np.float64 else ""
            hint = f"{made}np.zeros_like(x) or dtype=x.dtype keep the input's type"
            raise Wrong(f"{task.function}: {words}", hint)


def _recognised(task, arguments, name, value):
    """The hint and the first hint of the mistake that gives exactly these numbers in this shape, or None."""
    for mistake in task.mistakes:
        with np.errstate(all="ignore"):
            wrong = mistake.wrong(**copy.deepcopy(arguments))
        if name in wrong and same(value, wrong[name]):
            return mistake.hint, mistake.look or task.look
    return None


def _hint_for_shape(value: Any, shape: tuple[int, ...]) -> str | None:
    value = np.asarray(value)
    if value.ndim == len(shape) and sorted(value.shape) == sorted(shape):
        return "the sizes are right but in another order: is a transpose missing?"
    if value.size == int(np.prod(shape)):
        return "the number of elements is right: a reshape is missing, or keepdims"
    if value.ndim == len(shape) == 4 and value.size > int(np.prod(shape)):
        return "the array is too large: is the padding still around it?"
    if value.ndim == len(shape):
        return None
    if value.shape == shape[: value.ndim] or value.shape == shape[len(shape) - value.ndim :]:
        return "an axis is missing: did you sum over one that should stay?"
    if shape == value.shape[: len(shape)] or shape == value.shape[value.ndim - len(shape) :]:
        return "there is an axis too many: over which one should you sum?"
    return f"the array has {counted(value.ndim, 'axis', 'axes')}, it should have {len(shape)}"


def _worst(name, value, right):
    bad = ~np.isfinite(value)
    index = np.unravel_index(np.argmax(np.where(bad, np.inf, np.abs(value - right))), value.shape)
    place = f"{name}[{', '.join(map(str, index))}]" if index else name
    return f"your {place} is {value[index]:.{SHOWN}g}, it should be {right[index]:.{SHOWN}g}"


def _hint(task, arguments, name, got, wanted):
    """The hint of the mistake that gives exactly the learner's numbers for `name`, or else how they differ.

    And the hint before it, which says where to look.
    """
    for other, right in wanted.items():
        if other != name and same(got[name], right):
            return f"that is {other}: the order of the results is {', '.join(task.results)}", task.look
    for mistake in task.mistakes:
        with np.errstate(all="ignore"):
            wrong = mistake.wrong(**copy.deepcopy(arguments))
        others = [other for other in wrong if mistake.joint or not same(got[other], wanted[other])]
        if name in others and all(same(got[other], wrong[other]) for other in others):
            return mistake.hint, mistake.look or task.look
    for mistake in task.mistakes:  # another result may show what is wrong with both
        with np.errstate(all="ignore"):
            wrong = mistake.wrong(**copy.deepcopy(arguments))
        for other in wrong.keys() & got.keys() - {name}:
            if same(got[other], wrong[other]) and not same(got[other], wanted[other]):
                return f"{other} is wrong too: {mistake.hint}", mistake.look or task.look
    coarse = np.asarray(got[name]).dtype
    if coarse == np.float16 or (coarse == np.float32 and close(got[name], wanted[name], 1e-4)):
        return f"{coarse} for float64 input: the function should keep the precision of its input", task.look
    batch = next((len(value) for value in arguments.values() if isinstance(value, np.ndarray)), None)
    return difference(np.asarray(got[name], float), np.asarray(wanted[name], float), batch), task.look


def same(got: Any, wanted: Any) -> bool:
    """Whether two results agree; NaN counts as equal to NaN because both may have overflowed in the same place."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape or got.dtype.kind not in "fiub":
        return False
    finite = np.isfinite(got)
    if (finite != np.isfinite(wanted)).any() or not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
        return False
    return close(got[finite], wanted[finite], TOLERANCE)


def in_float32(value: Any) -> Any:
    """The value with all float64 arrays, also in lists and dictionaries, as float32, the precision of training."""
    if isinstance(value, list):
        return [in_float32(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    if isinstance(value, dict):
        return {key: in_float32(item) for key, item in value.items()}
    return value
