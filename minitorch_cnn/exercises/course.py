"""The ten exercises in their order."""

import difflib
from pathlib import Path

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.exercises.exercise import Exercise
from minitorch_cnn.exercises.tasks import conv2d, dense, im2col, max_pool, relu, sgd, softmax, surgery, winograd

EXERCISES = (
    Exercise(1, "dense", "the way back through a dense layer", dense.TASKS),
    Exercise(2, "relu", "a ReLU, forwards and backwards", relu.TASKS),
    Exercise(3, "softmax", "softmax and cross-entropy in one", softmax.TASKS),
    Exercise(4, "im2col", "every window as a row of a matrix", im2col.IM2COL),
    Exercise(5, "col2im", "and back, adding up", im2col.COL2IM),
    Exercise(6, "conv2d", "the way back through a convolution", conv2d.TASKS),
    Exercise(7, "max_pool", "who gets the gradient in a max pool", max_pool.TASKS),
    Exercise(8, "sgd", "a step with momentum that leaves frozen layers alone", sgd.TASKS),
    Exercise(9, "surgery", "chop off the top, put on a new one, freeze the rest", surgery.TASKS),
    Exercise(10, "winograd", "a 3x3 convolution with fewer multiplications", winograd.TASKS),
)


ALIASES = {
    "crossentropy": "softmax",
    "softmaxcrossentropy": "softmax",
    "conv": "conv2d",
    "convolution": "conv2d",
    "pool": "max_pool",
    "momentum": "sgd",
}


def get(name):
    """The exercise called `name`, with that number, or with that function; ArgumentError that lists the names.

    Capitals, `-`, `_` and blanks do not matter: `MaxPool`, `softmax cross-entropy`.
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


def is_name(words):
    """Whether `get` knows it."""
    try:
        return get(words) is not None
    except ArgumentError:
        return False


def of_file(path):
    """The exercise that a file called as its stub belongs to, or None."""
    return next((exercise for exercise in EXERCISES if exercise.file_name == Path(path).name), None)


def _plain(name):
    return "".join(letter for letter in name.lower() if letter.isalnum())
