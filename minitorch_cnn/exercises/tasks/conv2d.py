"""conv2d_backward(dy, x, kernel, strides, padding) -> dx, dkernel, dbias."""

import numpy as np

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients
from minitorch_cnn.exercises.tasks.im2col import windows
from minitorch_cnn.gradients import mistakes as m

SHAPES = (
    # x, kernel, strides, padding
    ((2, 5, 4, 2), (3, 2, 2, 3), (1, 1), ((0, 0), (0, 0))),
    ((2, 4, 5, 2), (2, 3, 2, 2), (1, 1), ((1, 0), (2, 1))),
    ((3, 6, 5, 1), (2, 2, 1, 3), (2, 2), ((0, 1), (1, 0))),
)
LARGE = ((16, 32, 32, 16), (3, 3, 16, 32), (1, 1), ((1, 1), (1, 1)))
RESULTS = {"input": "dx", "kernel": "dkernel", "bias": "dbias"}


def forward(x, kernel, bias, strides, padding):
    """y (N, OH, OW, K) by the definition."""
    return np.tensordot(windows(x, kernel.shape[:2], strides, padding), kernel, 3) + bias


def _case(x, kernel, strides, padding):
    x, kernel = numbers(0, *x), numbers(1, *kernel)
    dy = numbers(2, *forward(x, kernel, 0, strides, padding).shape)
    return {"dy": dy, "x": x, "kernel": kernel, "strides": strides, "padding": padding}


def _truth(dy, x, kernel, strides, padding):
    def of_arrays(x, kernel, bias):
        return forward(x, kernel, bias, strides, padding)

    return numerical_gradients(of_arrays, dy, x=x, kernel=kernel, bias=np.zeros(kernel.shape[3]))


def _as(mistake):
    """A classic mistake of `lessons/mistakes.py` under the names of this exercise."""

    def wrong(dy, x, kernel, strides, padding):
        found = mistake(m.Case(x, None, dy, kernel, strides, padding))
        return {RESULTS[name]: array for name, array in found.items()}

    return wrong


def _overwriting_loops(dy, x, kernel, strides, padding):
    """= in loops over images, windows and filters: of dx the last filter's windows stay, of the rest the last pixel."""
    last = m.Case(x, None, dy[..., -1:], kernel[..., -1:], strides, padding)
    seen = windows(x, kernel.shape[:2], strides, padding)[-1, -1, -1]
    dkernel = seen[..., None] * dy[-1, -1, -1]
    return {"dx": m.overwriting_windows(last)["input"], "dkernel": dkernel, "dbias": dy[-1, -1, -1]}


ADD_UP = "a pixel is in several windows, and = keeps only what the last one sent back: += adds them up"
TASKS = (
    Task(
        "conv2d_backward",
        ("dx", "dkernel", "dbias"),
        lambda: [_case(*shape) for shape in SHAPES],
        _truth,
        (
            Mistake(ADD_UP, _as(m.overwriting_windows)),
            Mistake(ADD_UP, _as(m.overwriting_col2im)),
            Mistake(
                "in the loops over images, windows and filters = keeps only the last one's: += adds them up",
                _overwriting_loops,
            ),
            Mistake(
                "the padding is not cut off dx: the image begins at row `top`, column `left` of the padded one",
                _as(m.padding_not_cut_off),
            ),
            Mistake(
                "the kernel is flipped: col2im takes it as it is; only if dx is written as a convolution of dy is the"
                " kernel turned by 180 degrees",
                _as(m.flipped_kernel),
            ),
            Mistake(
                "the columns are (KH, KW, C), you take them for (C, KH, KW): kernel.reshape(KH*KW*C, K) fits them"
                " as it is",
                _as(m.channels_first_columns),
            ),
            Mistake("channels in and out are exchanged in dkernel: (KH, KW, C, K)", _as(m.exchanged_channels)),
            Mistake("only the last image's: += over the images, the kernel was used for all", _as(m.last_image_only)),
            Mistake("only the first image's: sum over the batch, the kernel was used for all", _as(m.first_image_only)),
            Mistake(
                "a mean over the batch: the loss is a mean already and dy holds its 1/N, so here it is a sum",
                lambda dy, x, kernel, strides, padding: {
                    "dkernel": m.kernel_gradient(x, dy, m.Case(x, None, dy, kernel, strides, padding)) / len(x),
                    "dbias": dy.sum((0, 1, 2)) / len(x),
                },
            ),
            Mistake(
                "dkernel is turned by 180 degrees: deep learning's convolution does not flip, tap (p, q) met pixel"
                " (i*SH + p, j*SW + q)",
                lambda dy, x, kernel, strides, padding: {
                    "dkernel": m.kernel_gradient(x, dy, m.Case(x, None, dy, kernel, strides, padding))[::-1, ::-1]
                },
            ),
            Mistake(
                "dbias is a mean over images and pixels: the bias was added at each, so it is the sum",
                lambda dy, **rest: {"dbias": dy.mean((0, 1, 2))},
            ),
        ),
        lambda: _case(*LARGE),
    ),
)
