"""1x1 convolutions with strides, which the compiled twin computes from the pixels that they see."""

import numpy as np
import pytest
from engine_helpers import normal, relative_error

from minitorch_cnn.arrays.dispatch import TWINS_ONLY, running
from minitorch_cnn.engine.convolution import im2col, row_windows

NONE = ((0, 0), (0, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape, strides, K",
    [((2, 7, 9, 5), (2, 2), 19), ((3, 8, 6, 16), (2, 3), 33), ((1, 5, 4, 3), (1, 4), 2), ((2, 6, 5, 40), (9, 9), 7)],
)
def test_against_the_definition_of_im2col(shape, strides, K, dtype):
    x, kernel = normal(shape, 0, dtype), normal((1, 1, shape[3], K), 1, dtype)
    scale, bias = normal(K, 2, dtype), normal(K, 3, dtype)
    error = 1e-5 if dtype == "float32" else 1e-13
    wanted = im2col.forward.definition(x, kernel, strides, NONE)
    dy = normal(wanted.shape, 4, dtype)
    with running(TWINS_ONLY):
        assert relative_error(row_windows.forward(x, kernel, strides, NONE), wanted) < error
        scaled = row_windows.forward.twin_for(x)(x, kernel, strides, NONE, bias, relu=True, scale=scale)
        dx = row_windows.backward_input(dy, kernel, shape, strides, NONE)
        dkernel = row_windows.backward_kernel(x, dy, kernel.shape, strides, NONE)
    assert relative_error(scaled, np.maximum(wanted * scale + bias, 0)) < error
    assert relative_error(dx, im2col.backward_input.definition(dy, kernel, shape, strides, NONE)) < error
    assert relative_error(dkernel, im2col.backward_kernel.definition(x, dy, kernel.shape, strides, NONE)) < error
    unseen = np.ones(shape, bool)
    unseen[:, :: strides[0], :: strides[1]] = False
    assert (dx[unseen] == 0).all()


def test_padding_is_not_left_out():
    x, kernel = normal((1, 5, 6, 3)), normal((1, 1, 3, 4), 1)
    padding = ((1, 0), (0, 1))
    wanted = im2col.forward.definition(x, kernel, (2, 2), padding)
    assert relative_error(row_windows.forward(x, kernel, (2, 2), padding), wanted) < 1e-13
