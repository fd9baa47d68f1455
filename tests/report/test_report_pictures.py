"""Pictures: a data URI contains the pixels of the image."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.report import draw_filters, filter_grid, picture_uri, png_uri


def pixels(uri):
    head, data = uri.split(",", 1)
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("shape", [(32, 32, 3), (8, 8), (5, 7, 4), (1, 1, 3)])
def test_png_keeps_every_pixel(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    head, found = pixels(png_uri(image))
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(found, image)


def test_grey_images_may_have_a_channel():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    np.testing.assert_array_equal(pixels(png_uri(image))[1], image[:, :, 0])


def test_photographs_are_reduced_in_size():
    image = np.random.default_rng(0).integers(0, 256, (500, 250, 3), dtype=np.uint8)
    head, found = pixels(picture_uri(image))
    assert head == "data:image/jpeg;base64"
    assert found.shape == (192, 96, 3)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((4, 4, 3)), ArgumentError),
        (np.zeros((4, 4, 2), np.uint8), ShapeError),
        (np.zeros((0, 4, 3), np.uint8), ShapeError),
        (np.zeros(4, np.uint8), ShapeError),
    ],
)
def test_an_array_that_is_not_an_image_is_rejected(image, error):
    with pytest.raises(error, match=r"^image: expected .*, got "):
        picture_uri(image)


def test_each_filter_is_scaled_by_its_largest_weight():
    kernel = np.zeros((1, 1, 3, 3), dtype=np.float32)
    kernel[0, 0, :, 0] = [0.001, -0.001, 0]
    kernel[0, 0, :, 1] = [50, 25, 0]
    grid = filter_grid(kernel, columns=2, magnify=1)
    # Tiles of one pixel, six pixels apart: two in the first row, one in the second.
    assert grid.shape == (8, 8, 4)
    assert grid[0, 0].tolist() == [255, 0, 128, 255]
    assert grid[0, 7].tolist() == [255, 191, 128, 255]
    assert grid[7, 0].tolist() == [128, 128, 128, 255]
    assert grid[7, 7].tolist() == [0, 0, 0, 0]


def test_weights_that_are_nan_are_grey():
    kernel = np.full((3, 3, 1, 2), np.nan)
    assert set(np.unique(filter_grid(kernel)[..., 0])) == {0, 128}


@pytest.mark.parametrize("shape", [(3, 3, 32, 64), (3, 3, 3), (3, 3, 3, 0)])
def test_other_kernels_are_rejected(shape):
    with pytest.raises(ShapeError, match=r"^filters: expected \(KH, KW, 3, K\)"):
        filter_grid(np.zeros(shape))


def test_the_grid_has_alternative_text():
    html = draw_filters(np.ones((3, 3, 3, 8), np.float32))
    assert 'alt="The filters of the first layer: 8 of 3×3 weights each, magnified"' in html
