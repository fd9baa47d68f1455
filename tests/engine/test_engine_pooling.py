"""Pools against windows picked apart one by one, against their own definitions, and against PyTorch."""

import numpy as np
import pytest
from engine_helpers import average_pool as reference_average
from engine_helpers import distinct, normal, one_line, relative_error, transposed
from engine_helpers import max_pool as reference_max
from minitorch_cnn.layers import AveragePool2D, GlobalAveragePool2D, MaxPool2D

from minitorch_cnn import definitions_only
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.errors import ShapeError

# name: (input, pool size, strides, padding)
CASES = {
    "2x2": ((2, 4, 6, 3), 2, None, "valid"),
    "row and column left over": ((2, 5, 7, 3), 2, None, "valid"),
    "window not square": ((2, 6, 5, 2), (3, 2), None, "valid"),
    "overlapping": ((2, 6, 7, 2), 3, 2, "valid"),
    "overlapping everywhere": ((1, 4, 5, 3), (2, 3), 1, "valid"),
    "gaps between windows": ((2, 7, 9, 2), 2, (3, 4), "valid"),
    "same": ((2, 5, 7, 2), 2, None, "same"),
    "same, overlapping": ((2, 6, 5, 3), 3, 2, "same"),
    "same, stride 1": ((1, 3, 4, 2), (4, 3), 1, "same"),
    "padding 1": ((2, 4, 5, 2), 3, 2, 1),
    "padding of each side": ((2, 4, 5, 2), (2, 3), (1, 2), ((1, 0), (0, 2))),
    "the whole image": ((2, 3, 5, 4), (3, 5), None, "valid"),
    "one pixel": ((3, 1, 1, 2), 1, None, "valid"),
    "one channel, one image": ((1, 5, 3, 1), 2, 1, "valid"),
    "many channels": ((1, 4, 3, 37), 2, 1, "same"),
    "more places than a byte counts": ((1, 18, 19, 2), (17, 16), 1, "valid"),
}


def built(kind, case):
    x_shape, pool_size, strides, padding = CASES[case]
    layer = kind(pool_size, strides, padding)
    layer.build(x_shape[1:])
    return layer, x_shape


def both_ways(layer, x, dy):
    """[(y, dx) of the twin, (y, dx) of the definition]."""
    results = [(layer.forward(x), layer.backward(dy))]
    with definitions_only():
        results.append((layer.forward(x), layer.backward(dy)))
    return results


@pytest.mark.parametrize("case", CASES)
def test_max_pool(case):
    layer, shape = built(MaxPool2D, case)
    x = distinct(shape)
    wanted, places = reference_max(x, layer.pool_size, layer.strides, layer.pixels)
    dy = normal(wanted.shape, 1)
    wanted_dx = np.zeros(shape)
    for place, source in places.items():
        wanted_dx[source] += dy[place]
    for y, dx in both_ways(layer, x, dy):
        np.testing.assert_array_equal(y, wanted)
        assert dx.shape == shape and np.abs(dx - wanted_dx).max() < 1e-14 * np.abs(dy).sum()


@pytest.mark.parametrize("case", CASES)
def test_average_pool(case):
    layer, shape = built(AveragePool2D, case)
    x = normal(shape)

    def reference(one):
        return reference_average(one, layer.pool_size, layer.strides, layer.pixels)

    wanted = reference(x)
    dy = normal(wanted.shape, 1)
    y, dx = layer.forward(x), layer.backward(dy)
    assert relative_error(y, wanted) < 1e-14
    if x.size <= 300:  # one unit vector for each pixel
        assert relative_error(dx, transposed(reference, shape, dy)) < 1e-13


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 1, 7, 2), (3, 1, 1, 1)])
def test_global_average_pool(shape):
    layer, x = GlobalAveragePool2D(), normal(shape)
    assert relative_error(layer.forward(x), np.einsum("nhwc->nc", x) / (shape[1] * shape[2])) < 1e-14
    dy = normal((shape[0], shape[3]), 1)
    wanted = transposed(lambda one: one.sum(axis=(1, 2)) / (shape[1] * shape[2]), shape, dy)
    assert relative_error(layer.backward(dy), wanted) < 1e-14


@pytest.mark.parametrize("case", CASES)
def test_of_equal_numbers_the_first_wins_and_only_it(case):
    layer, shape = built(MaxPool2D, case)
    x = np.random.default_rng(0).integers(0, 2, shape).astype("float64")  # ties in nearly every window
    wanted, places = reference_max(x, layer.pool_size, layer.strides, layer.pixels)
    dy = np.ones(wanted.shape)
    wins = np.zeros(shape)
    for source in places.values():
        wins[source] += 1
    for y, dx in both_ways(layer, x, dy):
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(dx, wins)
        assert dx.sum() == dy.size


def test_a_constant_image_sends_all_to_the_corner():
    layer = MaxPool2D(2)
    for y, dx in both_ways(layer, np.full((1, 2, 4, 1), -3.0), np.array([[[[5.0], [7.0]]]])):
        assert y.ravel().tolist() == [-3, -3]
        assert dx[0, :, :, 0].tolist() == [[5, 0, 7, 0], [0, 0, 0, 0]]


def test_negative_numbers_beat_the_padding():
    layer = MaxPool2D(3, 2, padding=1)
    for y, dx in both_ways(layer, -1 - np.arange(6.0).reshape(1, 2, 3, 1), np.array([[[[5.0], [7.0]]]])):
        assert y.ravel().tolist() == [-1, -2]
        assert dx[0, :, :, 0].tolist() == [[5, 7, 0], [0, 0, 0]]


def test_nan_wins_and_the_first_nan_gets_the_gradient():
    x = distinct((1, 4, 4, 1))
    x[0, 0, 1, 0] = x[0, 1, 0, 0] = x[0, 3, 3, 0] = np.nan
    layer = MaxPool2D(2)
    for y, dx in both_ways(layer, x, np.array([1.0, 2, 3, 4]).reshape(1, 2, 2, 1)):
        assert np.isnan(y).ravel().tolist() == [True, False, False, True]
        assert dx[0, 0, 1, 0] == 1 and dx[0, 1, 0, 0] == 0 and dx[0, 3, 3, 0] == 4 and dx.sum() == 10


@pytest.mark.parametrize("case", CASES)
def test_twin_and_definition_agree_to_the_bit(case):
    layer, shape = built(MaxPool2D, case)
    geometry = layer.pool_size, layer.strides, layer.pixels
    for dtype in ("float64", "float32")[: 1 if "a byte" in case else 2]:  # places of two bytes: compiled once is enough
        x = normal(shape, dtype=dtype)
        y, winner = max_pool(x, *geometry)
        plain_y, plain_winner = max_pool.definition(x, *geometry)
        assert winner.dtype == plain_winner.dtype and y.dtype == plain_y.dtype == dtype
        np.testing.assert_array_equal(y, plain_y)
        np.testing.assert_array_equal(winner, plain_winner)
        dy = np.round(8 * normal(y.shape, 1, dtype)) / 8  # sums of such numbers are exact in any order
        dx = max_pool_backward(dy, winner, shape, *geometry)
        np.testing.assert_array_equal(dx, max_pool_backward.definition(dy, winner, shape, *geometry))
        assert dx.dtype == dtype


def test_a_view_is_pooled_like_its_copy():
    x = normal((2, 6, 5, 4))
    layer, dy = MaxPool2D(2, 1), normal((2, 5, 4, 2), 1)
    view = x[:, ::-1, :, 1:3]
    layer.build(view.shape[1:])
    for y, dx in both_ways(layer, view, np.asfortranarray(dy)):
        np.testing.assert_array_equal(y, layer.forward(view.copy()))
        np.testing.assert_allclose(dx, layer.backward(dy), rtol=0, atol=1e-14)


def test_padding_does_not_count_in_an_average():
    ones = np.ones((1, 3, 4, 1))
    np.testing.assert_array_equal(AveragePool2D(3, 1, "same").forward(ones), ones)
    corner = AveragePool2D(2, 2, padding=1).forward(np.arange(12.0).reshape(1, 3, 4, 1))
    assert corner[0, :, :, 0].tolist() == [[0, 1.5, 3], [6, 7.5, 9]]


@pytest.mark.parametrize("kind", [MaxPool2D, AveragePool2D])
def test_a_window_larger_than_the_image_is_refused(kind):
    with pytest.raises(ShapeError) as error:
        kind((3, 2), name="pool").build((2, 5, 1))
    assert one_line(error, "pool", "3x2", "2x5")


# (input, pool size, strides, padding) as PyTorch can have them: the same padding on both sides, at most half the window
TORCH_CASES = [
    ((2, 6, 7, 3), (2, 2), (2, 2), (0, 0)),
    ((2, 6, 7, 3), (3, 2), (2, 1), (0, 0)),
    ((1, 5, 8, 2), (3, 4), (1, 3), (1, 2)),
    ((3, 4, 5, 2), (2, 3), (3, 2), (1, 1)),
]


@pytest.mark.parametrize("shape, pool_size, strides, padding", TORCH_CASES)
@pytest.mark.parametrize("kind, name", [(MaxPool2D, "max_pool2d"), (AveragePool2D, "avg_pool2d")])
def test_against_pytorch(kind, name, shape, pool_size, strides, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch to compare with it")
    x = distinct(shape)
    there = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    options = {} if kind is MaxPool2D else {"count_include_pad": False}
    wanted = getattr(torch.nn.functional, name)(there, pool_size, strides, padding, **options)
    layer = kind(pool_size, strides, padding)
    y = layer.forward(x)
    np.testing.assert_allclose(y, wanted.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-14, atol=1e-14)
    dy = normal(y.shape, 1)
    wanted.backward(torch.tensor(dy.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(layer.backward(dy), there.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-14, atol=1e-14)
