"""The ten exercises in their order."""

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


def get(name):
    """The exercise called `name`, or with that number; ArgumentError that lists the names there are."""
    for exercise in EXERCISES:
        if name.replace("-", "_") in (exercise.name, str(exercise.number), f"{exercise.number:02}"):
            return exercise
    raise ArgumentError(f"{name}: expected one of {', '.join(exercise.name for exercise in EXERCISES)}")
