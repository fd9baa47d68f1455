"""conv2d_backward(dy, x, kernel, strides, padding) -> dx, dkernel, dbias."""

import numpy as np
from numpy.typing import ArrayLike

from minitorch_cnn.exercises.exercise import Mistake, Task, numbers, numerical_gradients, whole_numbers
from minitorch_cnn.exercises.tasks.im2col import (
    EMPTY_SLICE,
    LOOK_AT_THE_SLICE,
    cut_from_the_end,
    small_geometries,
    windows,
)
from minitorch_cnn.gradients import mistakes as m

SHAPES = (
    # x, kernel, strides, padding
    ((2, 5, 4, 2), (3, 2, 2, 3), (1, 1), ((0, 0), (0, 0))),
    ((1, 4, 5, 4), (2, 3, 4, 3), (1, 2), ((0, 1), (2, 1))),
    ((3, 6, 5, 1), (4, 2, 1, 2), (3, 1), ((3, 2), (1, 0))),
)
LARGE = ((16, 32, 32, 16), (3, 3, 16, 32), (1, 1), ((1, 1), (1, 1)))
RESULTS = {"input": "dx", "kernel": "dkernel", "bias": "dbias"}


def forward(x: np.ndarray, kernel: np.ndarray, bias: ArrayLike, strides: tuple, padding: tuple) -> np.ndarray:
    """The convolution y (N, OH, OW, K) of x (N, H, W, C) by its definition."""
    return np.tensordot(windows(x, kernel.shape[:2], strides, padding), kernel, 3) + bias


def _case(x, kernel, strides, padding):
    x, kernel = numbers(0, *x), numbers(1, *kernel)
    dy = numbers(2, *forward(x, kernel, 0, strides, padding).shape)
    return {"dy": dy, "x": x, "kernel": kernel, "strides": strides, "padding": padding}


def _small():
    cases = []
    for (N, H, W, C), window, strides, padding in small_geometries():
        x, kernel = whole_numbers(N, H, W, C), whole_numbers(*window, C, 1)
        dy = whole_numbers(*forward(x, kernel, 0, strides, padding).shape)
        cases.append({"dy": dy, "x": x, "kernel": kernel, "strides": strides, "padding": padding})
    return cases


def _truth(dy, x, kernel, strides, padding):
    def of_arrays(x, kernel, bias):
        return forward(x, kernel, bias, strides, padding)

    return numerical_gradients(of_arrays, dy, x=x, kernel=kernel, bias=np.zeros(kernel.shape[3]))


def _as(mistake):
    """A classic mistake from `gradients/mistakes.py` with the result names of this exercise."""

    def wrong(dy, x, kernel, strides, padding):
        found = mistake(m.Case(x, None, dy, kernel, strides, padding))
        return {RESULTS[name]: array for name, array in found.items()}

    return wrong


def _overwriting_loops(dy, x, kernel, strides, padding):
    """= in loops over images, windows and filters: in dx the last filter remains, in the rest the last pixel."""
    last = m.Case(x, None, dy[..., -1:], kernel[..., -1:], strides, padding)
    seen = windows(x, kernel.shape[:2], strides, padding)[-1, -1, -1]
    dkernel = seen[..., None] * dy[-1, -1, -1]
    return {"dx": m.overwriting_windows(last)["input"], "dkernel": dkernel, "dbias": dy[-1, -1, -1]}


def _cut_from_the_end(dy, x, kernel, strides, padding):
    """dx of the padded image, cut by a slice that ends at -bottom and -right."""
    padded = np.pad(x, ((0, 0), *padding, (0, 0)))
    unpadded = m.Case(padded, None, dy, kernel, strides)
    return {"dx": cut_from_the_end(m.padding_not_cut_off(unpadded)["input"], padding)}


ADD_UP = "a pixel lies in several windows, and = keeps only the gradient from the last one: += adds them up"
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
                "in the loops over images, windows and filters, = keeps only the last value: += adds them up",
                _overwriting_loops,
            ),
            Mistake(
                "the padding is not cut off dx: the image starts at row `top` and column `left` of the padded image",
                _as(m.padding_not_cut_off),
            ),
            Mistake(EMPTY_SLICE, _cut_from_the_end, look=LOOK_AT_THE_SLICE),
            Mistake(
                "the kernel is flipped: with col2im it is used as it is; it is rotated by 180 degrees only if you"
                " write dx as a convolution of dy",
                _as(m.flipped_kernel),
            ),
            Mistake(
                "the columns are (KH, KW, C), but you read them as (C, KH, KW): kernel.reshape(KH*KW*C, K) fits them"
                " as it is",
                _as(m.channels_first_columns),
            ),
            Mistake(
                "input and output channels are exchanged in dkernel: its shape is (KH, KW, C, K)",
                _as(m.exchanged_channels),
            ),
            Mistake(
                "only the last image: the kernel was used for every image, so add up (+=) over them",
                _as(m.last_image_only),
            ),
            Mistake(
                "only the first image: the kernel was used for every image, so sum over the batch",
                _as(m.first_image_only),
            ),
            Mistake(
                "a mean over the batch: the loss is already a mean and dy contains its 1/N, so take the sum here",
                lambda dy, x, kernel, strides, padding: {
                    "dkernel": m.kernel_gradient(x, dy, m.Case(x, None, dy, kernel, strides, padding)) / len(x),
                    "dbias": dy.sum((0, 1, 2)) / len(x),
                },
            ),
            Mistake(
                "dkernel is rotated by 180 degrees: convolution in deep learning does not flip the kernel, so tap"
                " (p, q) was multiplied by pixel (i*SH + p, j*SW + q)",
                lambda dy, x, kernel, strides, padding: {
                    "dkernel": m.kernel_gradient(x, dy, m.Case(x, None, dy, kernel, strides, padding))[::-1, ::-1]
                },
            ),
            Mistake(
                "dbias is a mean over images and pixels: the bias was added to each of them, so dbias is the sum",
                lambda dy, **rest: {"dbias": dy.mean((0, 1, 2))},
            ),
        ),
        lambda: _case(*LARGE),
        look="as a matrix product this is exercise 1: which of its arrays are x, kernel and dy here, and what are their"
        " shapes? What must happen to the gradient of x afterwards?",
        small=_small,
    ),
)
