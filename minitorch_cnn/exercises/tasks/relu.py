"""relu_forward(x) -> y; relu_backward(dy, y) -> dx."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers

FAR = 8  # the numbers of some cases reach so many times further, because a ReLU has no upper limit


def _backward_case(seed, *shape, times=1):
    return {"dy": numbers(seed, *shape), "y": np.maximum(times * numbers(seed + 1, *shape), 0)}


def _small_backward():
    """One unit that is off, on or far above 0, with a positive or a negative dy."""
    return [{"dy": np.array([dy]), "y": np.array([y])} for y in (0.0, 2.0, 100.0) for dy in (3.0, -3.0)]


def _backward_truth(dy, y):
    """Where y is 0, x is unknown, but any negative x has the slope 0, so -1 will do."""
    x = np.where(y > 0, y, -1.0)
    return numerical_gradients(lambda x: np.maximum(x, 0), dy, x=x)


TASKS = (
    Task(
        "relu_forward",
        ("y",),
        lambda: [{"x": numbers(0, 3, 5)}, {"x": FAR * numbers(1, 2, 3, 4, 2)}],
        lambda x: {"y": np.where(x < 0, 0, x)},
        (
            Mistake(
                "the sign is lost: a negative number becomes 0, not its absolute value", lambda x: {"y": np.abs(x)}
            ),
            Mistake(
                "this keeps the wrong half: positive numbers stay, negative ones become 0",
                lambda x: {"y": np.minimum(x, 0)},
            ),
            Mistake(
                "1 where x > 0: that is the derivative; the result there is x itself", lambda x: {"y": 1.0 * (x > 0)}
            ),
            Mistake(
                "this is a leaky ReLU: negative numbers should become exactly 0",
                lambda x: {"y": np.where(x > 0, x, 0.01 * x)},
            ),
            Mistake(
                "a single number: np.maximum(x, 0) compares element by element, max(x) does not",
                lambda x: {"y": x.max()},
            ),
        ),
        lambda: {"x": numbers(0, 64, 32, 32, 32)},
        look="what becomes of 3, of -3 and of 0? Try your function on these three numbers",
        small=lambda: [{"x": np.array([x])} for x in (3.0, -3.0, 100.0)] + [{"x": whole_numbers(1, 2)}],
    ),
    Task(
        "relu_backward",
        ("dx",),
        lambda: [_backward_case(0, 3, 5), _backward_case(4, 2, 3, 4, 2, times=FAR)],
        _backward_truth,
        (
            Mistake(
                "the mask is inverted: dy should pass where y > 0 and be blocked where y is 0",
                lambda dy, y: {"dx": dy * (y <= 0)},
            ),
            Mistake(
                "the mask is computed from dy: a negative dy is a gradient like any other. The mask is y > 0",
                lambda dy, y: {"dx": dy * (dy > 0)},
            ),
            Mistake(
                "dy unchanged: where y is 0, the result does not depend on x, so dx is 0", lambda dy, y: {"dx": dy}
            ),
            Mistake("dy times y: where y > 0 the derivative is 1, not y", lambda dy, y: {"dx": dy * y}),
            Mistake(
                "only the mask: by the chain rule it must be multiplied by dy", lambda dy, y: {"dx": 1.0 * (y > 0)}
            ),
            Mistake(
                "y >= 0 is true everywhere: where y is 0 the unit was off, so dx is 0",
                lambda dy, y: {"dx": dy * (y >= 0)},
            ),
        ),
        lambda: _backward_case(0, 64, 32, 32, 32),
        look="take one unit that was on and one that was off. How much does the output of each move if its input moves"
        " a little? What has dy to do with that?",
        small=_small_backward,
    ),
)
