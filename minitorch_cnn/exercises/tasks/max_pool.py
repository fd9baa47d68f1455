"""max_pool_backward(dy, x, window, strides) -> dx."""

import numpy as np

from minitorch_cnn.engine.convolution.geometry import NO_PADDING, output_size
from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers
from minitorch_cnn.exercises.tasks.im2col import windows
from minitorch_cnn.gradients import mistakes as m


def _case(shape, window, strides, x=None):
    x = numbers(0, *shape) if x is None else x
    dy = numbers(1, len(x), *output_size(x.shape[1:3], window, strides, NO_PADDING), x.shape[3])
    return {"dy": dy, "x": x, "window": window, "strides": strides}


def _cases():
    negative = numbers(2, 3, 4, 5, 2) - 2  # so 0 is larger than every number
    ties = np.round(numbers(3, 2, 5, 4, 2))  # integers, so many windows contain their maximum twice
    return [
        _case((2, 4, 6, 2), (2, 2), (2, 2)),
        _case((2, 6, 5, 3), (3, 2), (1, 2)),
        _case((1, 5, 7, 5), (2, 3), (2, 1)),
        _case((2, 5, 7, 1), (2, 1), (3, 2)),
        _case(None, (3, 2), (1, 1), negative),
        _case(None, (2, 2), (1, 1), ties),
    ]


def _small():
    """Windows of two and four pixels, apart and overlapping, with ties, and with several channels or images."""
    cases = []
    shapes = [(1, 1, 2, 1), (1, 2, 1, 1), (1, 1, 3, 1), (1, 2, 2, 1), (1, 2, 3, 1), (1, 1, 2, 2), (2, 1, 2, 1)]
    places = [((1, 2), (1, 1)), ((2, 1), (1, 1)), ((2, 2), (1, 1)), ((2, 2), (2, 2))]
    places += [((1, 2), (1, 2)), ((2, 1), (2, 1))]
    for shape in (*shapes, (1, 1, 4, 1), (1, 4, 1, 1), (1, 1, 2, 4)):
        for x in (whole_numbers(*shape), -whole_numbers(*shape), np.ones(shape), -abs(whole_numbers(*shape))):
            for window, strides in places:
                if shape[1] >= window[0] and shape[2] >= window[1]:
                    dy = whole_numbers(*_case(shape, window, strides, x)["dy"].shape)
                    cases.append({"dy": dy, "x": x, "window": window, "strides": strides})
    return cases


def _truth(dy, x, window, strides):
    if np.unique(x).size == x.size:

        def forward(x):
            return windows(x, window, strides, NO_PADDING).max(axis=(3, 4))

        return numerical_gradients(forward, dy, x=x)
    return {"dx": _given_to(dy, x, window, strides, _first_largest)}


def _given_to(dy, x, window, strides, winners):
    """dx if each dy goes to the pixels `winners(window)`, which are indices in reading order."""
    dx = np.zeros(x.shape)
    for n, i, j, c in np.ndindex(dy.shape):
        top, left = i * strides[0], j * strides[1]
        for place in winners(x[n, top : top + window[0], left : left + window[1], c].ravel()):
            dx[n, top + place // window[1], left + place % window[1], c] += dy[n, i, j, c]
    return dx


def _all_largest(seen):
    return np.flatnonzero(seen == seen.max())


def _first_largest(seen):
    return [int(seen.argmax())]


def _last_largest(seen):
    return [int(np.flatnonzero(seen == seen.max())[-1])]


def _wrong_divisor(dy, x, window, strides):
    """argmax counts along the rows of a window, so dividing by its height, not its width, gives a wrong pixel."""
    KH, KW = window
    dx = np.zeros((len(x), x.shape[1] + KH * KW, x.shape[2] + KH * KW, x.shape[3]))
    for n, i, j, c in np.ndindex(dy.shape):
        top, left = i * strides[0], j * strides[1]
        p, q = divmod(int(x[n, top : top + KH, left : left + KW, c].argmax()), KH)
        dx[n, top + p, left + q, c] += dy[n, i, j, c]
    return {"dx": dx[:, : x.shape[1], : x.shape[2]]}


def _winners_of_channel_0(dy, x, window, strides):
    """The winner of the first channel gets the dy of every channel."""
    return {"dx": np.concatenate([
        _given_to(dy[..., c : c + 1], x[..., :1], window, strides, _first_largest) for c in range(x.shape[3])
    ], axis=3)}  # fmt: skip


def _as(mistake):
    def wrong(dy, x, window, strides):
        return {"dx": mistake(m.Case(x, None, dy, None, strides, NO_PADDING, window))["input"]}

    return wrong


TASKS = (
    Task(
        "max_pool_backward",
        ("dx",),
        _cases,
        _truth,
        (
            Mistake(
                "windows overlap, and a pixel that is the maximum of two of them gets both gradients: use +=, not =",
                _as(m.overwriting_pool),
            ),
            Mistake(
                "all pixels that tie for the maximum got the gradient: only the first in reading order should get it,"
                " otherwise the pool returns more gradient than it received",
                lambda **a: {"dx": _given_to(**a, winners=_all_largest)},
            ),
            Mistake(
                "the last of the equal pixels got the gradient: it belongs to the first in reading order (>, not >=)",
                lambda **a: {"dx": _given_to(**a, winners=_last_largest)},
            ),
            Mistake(
                "dx is 1 at the maximum: by the chain rule this pixel gets the dy of its window",
                lambda dy, **rest: {"dx": _given_to(np.ones_like(dy), **rest, winners=_first_largest)},
            ),
            Mistake(
                "argmax counts along the rows, so the row is place // KW and the column is place % KW: divide by the"
                " width KW, not by the height",
                _wrong_divisor,
            ),
            Mistake(
                "the winner of channel 0 got the dy of all channels: each channel has its own maximum, so take the"
                " argmax for each of them",
                _winners_of_channel_0,
                look="give one channel of an image different numbers than the others: where is the largest of each"
                " channel, and where does your dx put its dy?",
            ),
            Mistake("this is average pooling: in max pooling the maximum gets all of dy", _as(m.shared_by_the_window)),
            Mistake("every pixel of the window got dy: only the maximum should", _as(m.to_the_whole_window)),
            Mistake(
                "the minimum got the gradient: use argmax, not argmin",
                lambda **a: {"dx": _given_to(**a, winners=lambda seen: [int(seen.argmin())])},
            ),
        ),
        lambda: _case((8, 32, 32, 16), (2, 2), (2, 2)),
        look="circle the largest number of each window of a small image with numbers of your own. If you raise it a"
        " little, which outputs change? And any other number?",
        small=_small,
    ),
)
