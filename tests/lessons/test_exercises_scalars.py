"""A loss is a single number: which type of real number it has does not matter."""

import numpy as np
import pytest

from minitorch_cnn.exercises import course
from minitorch_cnn.exercises.checking import Wrong, check
from minitorch_cnn.exercises.worker import load

TASK = course.get("softmax").tasks[0]
RIGHT = load(course.get("softmax").solution).softmax_cross_entropy


def with_loss(change):
    """The right function, with its loss changed."""

    def softmax_cross_entropy(scores, labels):
        loss, dscores = RIGHT(scores, labels)
        return change(loss), dscores

    return softmax_cross_entropy


@pytest.mark.parametrize("kind", [float, np.float32, np.float64, np.longdouble, np.array])
def test_any_real_number_with_the_right_value_is_right(kind):
    check(TASK, with_loss(kind))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda loss: [loss], "loss: expected a number, got list"),
        (lambda loss: [loss, [loss]], "loss: expected a number, got list"),
        (lambda loss: str(loss), "loss: expected a number, got str"),
        (lambda loss: complex(loss), "loss: expected real numbers, got dtype complex128"),
        (lambda loss: np.array([loss]), r"loss: expected shape \(\), got \(1,\)"),
        (lambda loss: round(float(loss)), "loss: expected floating-point numbers, got integers"),
        (lambda loss: np.float16(loss), "loss is wrong"),
    ],
)
def test_what_is_no_real_number_or_another_one_is_wrong(change, words):
    with pytest.raises(Wrong, match=words):
        check(TASK, with_loss(change))
