"""batch_norm_backward(dy, x, gamma, epsilon) -> dx, dgamma, dbeta."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers
from minitorch_cnn.gradients import mistakes as m


def _case(seed, epsilon, *shape):
    """The means of the channels are not close to 0, and one gamma is negative."""
    x, gamma = numbers(seed, *shape) + np.arange(shape[-1]), numbers(seed + 1, shape[-1])
    return {"dy": numbers(seed + 2, *shape), "x": x, "gamma": gamma, "epsilon": epsilon}


def _small():
    return [
        {"dy": whole_numbers(N, C), "x": whole_numbers(N, C), "gamma": np.array([2.0, -3.0])[:C], "epsilon": epsilon}
        for epsilon in (1e-3, 0.5)
        for N, C in ((1, 1), (2, 1), (3, 1), (2, 2), (4, 1))
    ]


def _pieces(x, epsilon, ddof=0):
    """The axes of a channel, its number of values, the deviation and the normalised x."""
    axes = tuple(range(x.ndim - 1))
    deviation = np.sqrt(x.var(axes, ddof=ddof) + epsilon)
    return axes, x.size // x.shape[-1], deviation, (x - x.mean(axes)) / deviation


def _truth(dy, x, gamma, epsilon):
    def forward(x, gamma, beta):
        return gamma * _pieces(x, epsilon)[3] + beta

    return numerical_gradients(forward, dy, x=x, gamma=gamma, beta=np.zeros(x.shape[-1]))


def _dx(dy, x, gamma, epsilon, of_mean=1.0, of_variance=1.0, scale=None, ddof=0):
    """dx with the parts that come from the mean and from the variance weighted."""
    axes, count, deviation, normal = _pieces(x, epsilon, ddof)
    by_mean, by_variance = dy.mean(axes), (dy * normal).mean(axes)
    by_variance *= count / (count - ddof)
    scale = gamma if scale is None else scale
    return scale / deviation * (dy - of_mean * by_mean - of_variance * normal * by_variance)


def _constant_statistics(dy, x, gamma, epsilon):
    return {"dx": m.constant_statistics(m.Case(x, None, dy, gamma))["input"]}


def _other_variance(dy, x, gamma, epsilon):
    axes, count, _, normal = _pieces(x, epsilon, ddof=min(1, x.size // x.shape[-1] - 1))
    dx = _dx(dy, x, gamma, epsilon, ddof=1) if count > 1 else np.zeros_like(x)
    return {"dx": dx, "dgamma": (dy * normal).sum(axes)}


def _epsilon_outside(dy, x, gamma, epsilon):
    axes, count, _, _ = _pieces(x, epsilon)
    deviation = x.std(axes) + epsilon
    normal = (x - x.mean(axes)) / deviation
    dx = gamma / deviation * (dy - dy.mean(axes) - normal * (dy * normal).mean(axes))
    return {"dx": dx, "dgamma": (dy * normal).sum(axes)}


TASKS = (
    Task(
        "batch_norm_backward",
        ("dx", "dgamma", "dbeta"),
        lambda: [_case(0, 1e-3, 5, 3), _case(3, 0.1, 2, 3, 5, 4), _case(6, 0.02, 3, 2, 1, 5)],
        _truth,
        (
            Mistake(
                "mean and variance are treated as constants, but they depend on every x of the channel: subtract the"
                " mean of dy, and xhat times the mean of dy * xhat",
                _constant_statistics,
                look="raise one number of a channel a little: it moves y directly. What else does it move?",
            ),
            Mistake(
                "the part that comes through the mean is missing: a shift of all x changes no y, so dx adds up to 0",
                lambda **a: {"dx": _dx(**a, of_mean=0.0)},
                look="add the same number to every x of a channel: what happens to y? What must dx add up to?",
            ),
            Mistake(
                "the part that comes through the variance is missing: xhat * mean(dy * xhat) is to be subtracted too",
                lambda **a: {"dx": _dx(**a, of_variance=0.0)},
                look="multiply every x of a channel by 2: what happens to y? What does that say about dx?",
            ),
            Mistake(
                "gamma is missing in dx: y = gamma * xhat + beta, so by the chain rule dxhat = gamma * dy",
                lambda **a: {"dx": _dx(**a, scale=1.0)},
            ),
            Mistake(
                "sums where the means should be: the mean of a channel is its sum divided by the number of its values",
                lambda dy, x, **rest: {
                    "dx": _dx(dy, x, **rest, of_mean=x.size / x.shape[-1], of_variance=x.size / x.shape[-1])
                },
            ),
            Mistake(
                "dgamma multiplies dy by x: gamma was multiplied by xhat, so dgamma = sum(dy * xhat)",
                lambda dy, x, **rest: {"dgamma": (dy * x).sum(tuple(range(x.ndim - 1)))},
            ),
            Mistake(
                "a mean over the batch: gamma and beta were used for every value of the channel, so take the sum here",
                lambda dy, x, gamma, epsilon: {
                    "dgamma": (dy * _pieces(x, epsilon)[3]).mean(tuple(range(x.ndim - 1))),
                    "dbeta": dy.mean(tuple(range(x.ndim - 1))),
                },
            ),
            Mistake(
                "the variance is divided by the number of values minus 1: batch norm divides by their number",
                _other_variance,
            ),
            Mistake("epsilon belongs under the root: sqrt(variance + epsilon)", _epsilon_outside),
        ),
        lambda: _case(0, 1e-3, 32, 32, 32, 32),
        look="each y depends on each x of its channel in three ways: directly, and through two numbers that all values"
        " of the channel share. Which two? What do you get through each of them?",
        small=_small,
    ),
)
