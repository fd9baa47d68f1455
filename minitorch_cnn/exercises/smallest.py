"""The smallest case in which a learner's function is wrong, printed with its arrays, so that it can be done by hand."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_cnn.exercises.checking import NotBegun, Wrong, results_of, same
from minitorch_cnn.exercises.exercise import Task

SECONDS = 3.0  # to look for it
PLANES = 4  # most 2-D parts of an array that are printed
COLUMNS, ROWS = 8, 8  # most numbers of a line, and lines of a part
DIGITS = 4  # significant digits
PICTURES = ("x", "y", "dx", "dy")  # (N, H, W, C); the other arrays with four axes are kernels


def smallest_case(task: Task, function: Callable, name: str) -> list[str]:
    """The lines that show the smallest case in which the result `name` (or another, if there is none) is wrong.

    Empty if no case fails within a few seconds.
    """
    end = time.monotonic() + SECONDS
    for arguments in sorted(itertools.chain(task.small(), task.cases()), key=_size):
        if time.monotonic() > end:
            break
        try:
            got, wanted = results_of(task, function, arguments, None), task.truth(**_copied(arguments))
        except (Wrong, NotBegun):
            continue
        for result in [name] if name in wanted else wanted:
            if not same(got[result], wanted[result]):
                return [*_shown(arguments, result, np.asarray(got[result]), np.asarray(wanted[result]), task.after)]
    return []


def _copied(arguments):
    return {name: value.copy() if isinstance(value, np.ndarray) else _copied(value) if isinstance(value, dict) else
            value for name, value in arguments.items()}  # fmt: skip


def _size(arguments: dict[str, Any]) -> int:
    values = [each for value in arguments.values() for each in (value.values() if isinstance(value, dict) else [value])]
    return sum(value.size for value in values if isinstance(value, np.ndarray))


def _shown(arguments, result, got, wanted, after) -> Iterator[str]:
    yield "the smallest case that fails:"
    for name, value in arguments.items():
        for key, item in value.items() if isinstance(value, dict) else [("", value)]:
            shown = f'{name}["{key}"]' if key else name
            if not isinstance(item, np.ndarray):
                yield f"  {shown} = {item}"
                continue
            for place in _planes(name, item, np.ones(item.shape, bool)):
                yield from _beside([f"  {shown}{_in_words(place)}"], _table(item[place]))
    wrong, alike = np.ones(wanted.shape, bool), got.shape == wanted.shape
    if alike:
        wrong = ~np.isclose(got.astype(float), wanted.astype(float), rtol=1e-6, atol=1e-9)
    if after:
        yield f"  {after}:"
    for place in _planes(result, wanted, wrong):
        shape = [f"has the shape {got.shape}" + (": it is empty" if not got.size else "")]
        left = _table(got[place]) if alike else [*shape, *(_table(got) if 0 < got.ndim <= 2 and got.size else [])]
        yield from _beside([f"  your {result}{_in_words(place)}"], left, ["  it should be"], _table(wanted[place]))


def _planes(name, array, wrong):
    """The indices of the 2-D parts of an array in which something is wrong: images and channels one by one.

    Of a kernel (KH, KW, C, K) these are the pairs of channels, of a patch or a transformed one its last axes.
    """
    if array.ndim <= 2:
        return [()]
    axes = (0, 3) if array.ndim == 4 and name in PICTURES else range(2, array.ndim)
    places = []
    for index in np.ndindex(*(array.shape[axis] for axis in axes)):
        place = [slice(None)] * array.ndim
        for axis, number in zip(axes, index):
            place[axis] = number
        if wrong[tuple(place)].any():
            places.append(tuple(place))
    return places[:PLANES]


def _in_words(place):
    return f"[{', '.join(':' if isinstance(each, slice) else str(each) for each in place)}]" if place else ""


def _table(array) -> list[str]:
    rows = [[f"{number:.{DIGITS}g}" for number in row[:COLUMNS]] for row in np.atleast_2d(np.asarray(array, float))]
    wide = max((len(words) for row in rows for words in row), default=0)
    return ["  ".join(words.rjust(wide) for words in row) for row in rows[:ROWS]]


def _beside(*blocks: list[str]) -> list[str]:
    """Blocks of lines side by side."""
    height = max(map(len, blocks))
    widths = [max(map(len, block)) for block in blocks]
    padded = [[*block, *[""] * (height - len(block))] for block in blocks]
    return ["  ".join(line.ljust(wide) for line, wide in zip(row, widths)).rstrip() for row in zip(*padded)]
