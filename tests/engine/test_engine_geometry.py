"""Where windows fit: numbers worked out by hand, and by TensorFlow's rule for "same"."""

import numpy as np
import pytest
from engine_helpers import normal, one_line

import minitorch_cnn as mtc
from minitorch_cnn import layers
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
    "given",
    ["full", "1", None, True, -1, 1.5, (1, 2, 3), (1, -2), ((1, 2),), ((1, 2), (3,)), ((1, 2), 3.5), 2**15 + 1,
     (0, 2**62), ((0, 0), (10**400, 0)), float("inf")],
)  # fmt: skip
def test_padding_that_means_nothing(given):
    with pytest.raises(ArgumentError) as error:
        check_padding(given)
    assert one_line(error, "padding")


@pytest.mark.parametrize(
    "given",
    [0, -2, 2.5, (1,), (1, 2, 3), "3", None, True, float("nan"), (2, 0), 2**15 + 1, (1, 2**63), float("inf")],
)
def test_sizes_that_mean_nothing(given):
    with pytest.raises(ArgumentError) as error:
        pair(given, "kernel_size")
    assert one_line(error, "kernel_size", repr(given))


TOO_LARGE = [
    lambda: layers.Conv2D(1, 1, strides=[1, 6148914691236515904], padding=1, algorithm="im2col"),
    lambda: layers.Conv2D(2**41, 1),
    lambda: layers.Conv2D(1, 2**15).build((2**15, 2**15, 2**12)),  # its kernel
    lambda: layers.Conv2D(2**20, 1).build((2**12, 2**12, 1)),  # its output
    lambda: layers.Dense(2**40).build((2,)),
    lambda: layers.Dense(3).build((2**62,)),
    lambda: layers.MaxPool2D(2, strides=2**40),
    lambda: layers.AveragePool2D(2**31),
    lambda: layers.ZeroPad2D(2**31),
    lambda: layers.Flatten().build((2**21, 2**20, 1)),
    lambda: layers.BatchNorm().build((0, 3, 2)),
    lambda: layers.ReLU().build((-4, -3, 1)),
    lambda: mtc.Sequential([layers.ZeroPad2D(2**15), layers.Flatten()], (1, 2**15, 2**30)),
]


@pytest.mark.parametrize("make", TOO_LARGE)
def test_what_no_index_can_hold_is_refused_when_the_layer_is_made_or_built(make):
    with pytest.raises((ArgumentError, ShapeError)) as error:
        make()
    assert one_line(error, "expected")


def test_the_largest_sizes_are_accepted():
    conv = layers.Conv2D(3, (2**15, 1), strides=2**15, padding=((2**15, 0), (1, 2)))
    model = mtc.Sequential([conv], (5, 3, 2), seed=0)
    y = model.predict(np.ones((1, 5, 3, 2), np.float32))
    kernel = conv.parameters["kernel"]
    np.testing.assert_array_equal(y, np.zeros((1, 1, 1, 3)))  # the only window begins left of and above the image
    assert kernel.shape == (2**15, 1, 2, 3) and kernel.any()


def test_crop_undoes_pad():
    x = normal((2, 3, 4, 2))
    padding = ((1, 0), (2, 3))
    padded = pad(x, padding, 7)
    assert padded.shape == (2, 4, 9, 2) and padded[0, 0, 0, 0] == 7 and padded[1, 1, 2, 1] == x[1, 0, 0, 1]
    np.testing.assert_array_equal(crop(padded, padding), x)
    assert pad(x, ((0, 0), (0, 0))) is x
