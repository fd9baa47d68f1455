"""The twelve exercises in order, and how to find one by name."""

import difflib
from pathlib import Path

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.tasks import (
    batch_norm,
    conv2d,
    dense,
    im2col,
    max_pool,
    relu,
    residual,
    sgd,
    softmax,
    surgery,
    winograd,
)

EXERCISES = (
    Exercise(1, "dense", "the backward pass of a dense layer", dense.TASKS, 20, "easy"),
    Exercise(2, "relu", "a ReLU, forward and backward", relu.TASKS, 10, "easy"),
    Exercise(3, "softmax", "softmax and cross-entropy together", softmax.TASKS, 30, "medium"),
    Exercise(4, "im2col", "every window as a row of a matrix", im2col.IM2COL, 30, "medium"),
    Exercise(5, "col2im", "back to an image, adding up", im2col.COL2IM, 30, "medium"),
    Exercise(6, "conv2d", "the backward pass of a convolution", conv2d.TASKS, 30, "medium"),
    Exercise(7, "max_pool", "which pixels get the gradient of a max pool", max_pool.TASKS, 40, "hard"),
    Exercise(8, "sgd", "a step with momentum that skips frozen layers", sgd.TASKS, 20, "easy"),
    Exercise(9, "surgery", "replace the top of a network and freeze the rest", surgery.TASKS, 25, "easy"),
    Exercise(10, "winograd", "a 3x3 convolution with fewer multiplications", winograd.TASKS, 30, "medium"),
    Exercise(11, "batch_norm", "the backward pass of a batch norm", batch_norm.TASKS, 45, "hard"),
    Exercise(12, "residual", "a residual block", residual.TASKS, 30, "medium"),
)


ALIASES = {
    "crossentropy": "softmax",
    "softmaxcrossentropy": "softmax",
    "conv": "conv2d",
    "convolution": "conv2d",
    "pool": "max_pool",
    "momentum": "sgd",
    "batchnormalization": "batch_norm",
    "shortcut": "residual",
    "residualblock": "residual",
}


def get(name: str) -> Exercise:
    """The exercise with this name, number or function; capitals, `-`, `_` and spaces do not matter.

    Raises ArgumentError, with a list of the names, if there is none.
    """
    plain = _plain(name)
    for exercise in EXERCISES:
        functions = [_plain(task.function) for task in exercise.tasks]
        if plain in (_plain(exercise.name), str(exercise.number), f"{exercise.number:02}", *functions):
            return exercise
    if plain in ALIASES:
        return get(ALIASES[plain])
    names = [exercise.name for exercise in EXERCISES]
    near = difflib.get_close_matches(plain, [_plain(known) for known in names], 1)
    hint = f"; did you mean {names[[_plain(known) for known in names].index(near[0])]}?" if near else ""
    raise ArgumentError(f"{name}: expected one of {', '.join(names)}{hint}")


def is_name(words: str) -> bool:
    """Whether `get` finds an exercise with this name."""
    try:
        return get(words) is not None
    except ArgumentError:
        return False


def of_file(path: str | Path) -> Exercise | None:
    """The exercise whose stub has the same file name as `path`, or None."""
    return next((exercise for exercise in EXERCISES if exercise.file_name == Path(path).name), None)


def _plain(name):
    return "".join(letter for letter in name.lower() if letter.isalnum())
