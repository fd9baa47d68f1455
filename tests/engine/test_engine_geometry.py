"""Where windows fit: numbers worked out by hand, and by TensorFlow's rule for "same"."""

import numpy as np
import pytest
from engine_helpers import normal, one_line

from minitorch_cnn.engine.convolution.geometry import check_padding, crop, output_size, pad, pair, resolve_padding
from minitorch_cnn.errors import ArgumentError, ShapeError

# (length, window, stride, pixels before, pixels after, output length) as tf.nn.conv2d(padding="SAME") has them
SAME = [
    (5, 3, 1, 1, 1, 5),
    (5, 2, 1, 0, 1, 5),
    (6, 4, 1, 1, 2, 6),
    (2, 5, 1, 2, 2, 2),
    (7, 1, 1, 0, 0, 7),
    (5, 3, 2, 1, 1, 3),
    (6, 3, 2, 0, 1, 3),
    (7, 2, 2, 0, 1, 4),
    (6, 2, 2, 0, 0, 3),
    (6, 5, 2, 1, 2, 3),
    (5, 1, 2, 0, 0, 3),
    (224, 7, 2, 2, 3, 112),
    (7, 2, 3, 0, 1, 3),
    (8, 2, 5, 0, 0, 2),
]


@pytest.mark.parametrize("length, window, stride, before, after, out", SAME)
def test_same_is_tensorflows(length, window, stride, before, after, out):
    padding = resolve_padding("same", (length, 5), (window, 3), (stride, 1))
    assert padding == ((before, after), (1, 1))
    assert output_size((length, 5), (window, 3), (stride, 1), padding) == (out, 5)


@pytest.mark.parametrize(
    "size, window, strides, padding, out",
    [
        ((5, 7), (3, 3), (1, 1), ((0, 0), (0, 0)), (3, 5)),
        ((6, 7), (3, 2), (2, 3), ((0, 0), (0, 0)), (2, 2)),
        ((6, 7), (3, 2), (2, 3), ((1, 0), (0, 2)), (3, 3)),
        ((2, 3), (5, 4), (1, 1), ((1, 2), (1, 0)), (1, 1)),
        ((1, 1), (1, 1), (9, 9), ((0, 0), (0, 0)), (1, 1)),
    ],
)
def test_output_size(size, window, strides, padding, out):
    assert output_size(size, window, strides, padding) == out


def test_a_window_that_does_not_fit():
    with pytest.raises(ShapeError) as error:
        output_size((4, 2), (3, 3), (1, 1), ((0, 0), (0, 0)), "conv2d_7")
    assert one_line(error, "conv2d_7", "3x3", "4x2")


@pytest.mark.parametrize(
    "given, plain",
    [
        ("valid", "valid"),
        ("same", "same"),
        (0, ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((1, 3), ((1, 1), (3, 3))),
        ([1, 3], ((1, 1), (3, 3))),
        (((1, 2), (3, 4)), ((1, 2), (3, 4))),
        ([[1, 2], [3, 4]], ((1, 2), (3, 4))),
        (np.int64(1), ((1, 1), (1, 1))),
    ],
)
def test_padding_in_plain_form(given, plain):
    assert check_padding(given) == plain


@pytest.mark.parametrize(
    "given", ["full", "1", None, True, -1, 1.5, (1, 2, 3), (1, -2), ((1, 2),), ((1, 2), (3,)), ((1, 2), 3.5)]
)
def test_padding_that_means_nothing(given):
    with pytest.raises(ArgumentError) as error:
        check_padding(given)
    assert one_line(error, "padding")


@pytest.mark.parametrize("given", [0, -2, 2.5, (1,), (1, 2, 3), "3", None, True, float("nan"), (2, 0)])
def test_sizes_that_mean_nothing(given):
    with pytest.raises(ArgumentError) as error:
        pair(given, "kernel_size")
    assert one_line(error, "kernel_size", repr(given))


def test_crop_undoes_pad():
    x = normal((2, 3, 4, 2))
    padding = ((1, 0), (2, 3))
    padded = pad(x, padding, 7)
    assert padded.shape == (2, 4, 9, 2) and padded[0, 0, 0, 0] == 7 and padded[1, 1, 2, 1] == x[1, 0, 0, 1]
    np.testing.assert_array_equal(crop(padded, padding), x)
    assert pad(x, ((0, 0), (0, 0))) is x
