"""relu_forward(x) -> y; relu_backward(dy, y) -> dx."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients


def _backward_case(seed, *shape):
    return {"dy": numbers(seed, *shape), "y": np.maximum(numbers(seed + 1, *shape), 0)}


def _backward_truth(dy, y):
    """Where y is 0, x may have been anything below: any x of that sign has the slope 0."""
    x = np.where(y > 0, y, -1.0)
    return numerical_gradients(lambda x: np.maximum(x, 0), dy, x=x)


TASKS = (
    Task(
        "relu_forward",
        ("y",),
        lambda: [{"x": numbers(0, 3, 5)}, {"x": numbers(1, 2, 3, 4, 2)}],
        lambda x: {"y": np.where(x < 0, 0, x)},
        (
            Mistake("the sign is lost: what is below 0 becomes 0, not its absolute value", lambda x: {"y": np.abs(x)}),
            Mistake(
                "the other half: what is above 0 stays, what is below becomes 0", lambda x: {"y": np.minimum(x, 0)}
            ),
            Mistake(
                "1 where x > 0: that is the slope; the result keeps x itself there", lambda x: {"y": 1.0 * (x > 0)}
            ),
            Mistake(
                "a leaky ReLU: what is below 0 becomes 0, nothing of it is left",
                lambda x: {"y": np.where(x > 0, x, 0.01 * x)},
            ),
            Mistake(
                "one number: np.maximum(x, 0) compares element by element, max(x) does not", lambda x: {"y": x.max()}
            ),
        ),
        lambda: {"x": numbers(0, 64, 32, 32, 32)},
    ),
    Task(
        "relu_backward",
        ("dx",),
        lambda: [_backward_case(0, 3, 5), _backward_case(4, 2, 3, 4, 2)],
        _backward_truth,
        (
            Mistake(
                "the mask is taken from the wrong side: dy passes where y > 0, and where y is 0 nothing does",
                lambda dy, y: {"dx": dy * (y <= 0)},
            ),
            Mistake(
                "the mask is taken of dy: a negative dy is a gradient like any other. The mask is where y > 0",
                lambda dy, y: {"dx": dy * (dy > 0)},
            ),
            Mistake("dy unchanged: where y is 0 the result did not depend on x, so dx is 0", lambda dy, y: {"dx": dy}),
            Mistake("dy times y: the slope is 1 where y > 0, not y", lambda dy, y: {"dx": dy * y}),
            Mistake("the mask itself: chain rule, it has to be multiplied by dy", lambda dy, y: {"dx": 1.0 * (y > 0)}),
            Mistake(
                "y >= 0 holds everywhere: at y = 0 the unit was off, and nothing passes",
                lambda dy, y: {"dx": dy * (y >= 0)},
            ),
        ),
        lambda: _backward_case(0, 64, 32, 32, 32),
    ),
)
