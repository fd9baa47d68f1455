"""A whitening kernel: what it makes of the patches is uncorrelated and of variance 1, found by other means."""

import warnings

import numpy as np
import pytest

import minitorch_cnn as mtc
from minitorch_cnn import initializers, layers
from minitorch_cnn.errors import ArgumentError, ShapeError


def images(dtype="float32"):
    """Noise that neighbours share, so patches are correlated; the channels differ in size."""
    noise = np.random.default_rng(0).standard_normal((1200, 5, 7, 2))
    return ((noise + np.roll(noise, 1, axis=1) + noise[..., :1]) * [1, 3] + 4).astype(dtype)


@pytest.mark.parametrize("size", [2, 3])
def test_the_layer_s_outputs_are_white(size):
    """The covariance of a convolution's outputs, whose first half is e_i . patch / sqrt(v_i) and whose second -that."""
    x, width = images(), size * size * 2
    kernel = initializers.whitening(x, size, epsilon=1e-9)
    conv = layers.Conv2D(2 * width, size, use_bias=False, trainable=False)
    model = mtc.Sequential([conv], x.shape[1:], seed=0, dtype="float64")
    conv.parameters["kernel"] = kernel
    y = model.predict(x).reshape(-1, 2 * width)
    np.testing.assert_allclose(np.cov(y[:, :width].T, bias=True), np.eye(width), atol=2e-5)
    np.testing.assert_allclose(y[:, width:], -y[:, :width], atol=1e-12)


def test_epsilon_limits_what_hardly_varies():
    """In flat images nothing varies but brightness: the other filters have the norm 1 / sqrt(epsilon)."""
    flat = np.repeat(np.repeat(images()[:, :1, :1], 4, axis=1), 4, axis=2)[..., :1]
    kernel = initializers.whitening(flat, 2, epsilon=0.25).reshape(4, 8)
    norms = np.linalg.norm(kernel, axis=0)
    deviation = 2 * flat.astype("float64").std()  # of the mean direction, which sums four equal pixels over 2
    assert norms[0] == pytest.approx(1 / np.sqrt(deviation**2 + 0.25), rel=1e-6)
    np.testing.assert_allclose(norms[1:4], 2, rtol=1e-3)
    assert abs(np.abs(kernel[:, 0]) - norms[0] / 2).max() < 1e-6


def test_a_list_of_images_is_an_array_of_them():
    np.testing.assert_array_equal(initializers.whitening(list(images())), initializers.whitening(images()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_numbers_without_a_covariance_are_refused_in_one_line(value):
    x = images("float64")
    x[1100, 2, 3, 1] = value  # in the second part
    with warnings.catch_warnings(), pytest.raises(ArgumentError, match=r"^whitening: expected images of finite.*\Z"):
        warnings.simplefilter("error")
        initializers.whitening(x)


def test_pixels_that_are_not_preprocessed_are_refused():
    """As integers they would be whitened, but the network sees other numbers."""
    for dtype in ("uint8", "int64", "bool", "complex64", "float16"):
        with pytest.raises(ArgumentError, match=rf"^whitening: expected images of float32 or float64, got {dtype}\Z"):
            initializers.whitening(images().astype(dtype))
    with pytest.raises(ArgumentError, match="expected arrays of one shape"):
        initializers.whitening([*images()[:2], np.zeros((3, 3, 2))])


def test_what_is_no_image_is_named():
    for wrong in (np.zeros((3, 4, 4)), np.zeros((0, 4, 4, 1)), np.zeros((2, 1, 4, 1)), [1, 2]):
        with pytest.raises(ShapeError, match="whitening: expected images"):
            initializers.whitening(wrong)
    with pytest.raises(ArgumentError, match="whitening: epsilon"):
        initializers.whitening(images(), 2, epsilon=0)
    with pytest.raises(ArgumentError, match="whitening: size"):
        initializers.whitening(images(), 0)
