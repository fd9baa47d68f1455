"""Augmentation: the maps by hand, the sampling against SciPy, the twins against their definitions."""

import json

import numpy as np
import pytest
import scipy.ndimage

from minitorch_cnn.arrays.dispatch import definitions_only
from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.datasets.affine import FILLS, move, resample
from minitorch_cnn.datasets.augmentation import inverse_maps
from minitorch_cnn.datasets.batches import Batches
from minitorch_cnn.errors import ArgumentError

SCIPY = {"nearest": "nearest", "zero": "grid-constant", "reflect": "mirror"}
SHAPES = [(3, 7, 11, 3), (2, 12, 5, 1), (1, 1, 6, 2), (2, 4, 1, 3), (0, 5, 5, 3)]
SETTINGS = [
    {"flip": True},
    {"shift": 0.3},
    {"flip": True, "shift": 0.125},
    {"rotate": 30},
    {"zoom": 0.4},
    {"shear": 25},
    {"flip": True, "shift": 0.2, "rotate": 180, "zoom": 0.5, "shear": 40},
]


def pixels(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, np.uint8) if dtype == np.uint8 else rng.random(shape, np.float32)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("use", [resample, resample.definition], ids=["twin", "definition"])
def test_resample_is_scipys(use, shape, fill):
    """The same bilinear sampling as scipy.ndimage.affine_transform, also from far outside the image."""
    rng = np.random.default_rng(1)
    images = pixels(shape, np.float32)
    matrices = rng.normal(0, 1, (shape[0], 2, 3)).astype(np.float32)
    matrices[:, :, 2] *= 4
    sampled = use(images, matrices, fill)
    assert sampled.dtype == np.float32 and sampled.shape == shape
    centre = (np.array(shape[1:3]) - 1) / 2
    for n, c in np.ndindex(shape[0], shape[3]):
        linear, constant = matrices[n, :, :2].astype(float), matrices[n, :, 2].astype(float)
        expected = scipy.ndimage.affine_transform(
            images[n, :, :, c].astype(float), linear, centre - linear @ centre + constant, order=1, mode=SCIPY[fill]
        )
        np.testing.assert_allclose(sampled[n, :, :, c], expected, atol=2e-5)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_twins_give_the_same_pixels(settings, shape, dtype, fill):
    images = pixels(shape, dtype)
    before = images.copy()
    augment = Augmentation(**settings, fill=fill)
    twin = augment(images, np.random.default_rng(5))
    with definitions_only():
        definition = augment(images, np.random.default_rng(5))
    assert twin.dtype == definition.dtype == dtype and twin.shape == shape
    np.testing.assert_array_equal(twin, definition)
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(twin, images)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_generator_decides(settings):
    images, augment = pixels((20, 9, 14, 3), np.uint8), Augmentation(**settings)
    first = augment(images, np.random.default_rng(5))
    assert np.array_equal(first, augment(images, np.random.default_rng(5)))
    assert not np.array_equal(first, augment(images, np.random.default_rng(6)))
    assert not np.array_equal(first, images)
    # A view of other strides is the same images.
    assert np.array_equal(first, augment(np.asfortranarray(images), np.random.default_rng(5)))


def test_nothing_set_changes_nothing():
    images = pixels((4, 6, 5, 3), np.uint8)
    assert np.array_equal(Augmentation()(images, np.random.default_rng(0)), images)


@pytest.mark.parametrize("fill, mode", [("nearest", "edge"), ("zero", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("use", [move, move.definition], ids=["twin", "definition"])
def test_move_is_padding_and_cropping(use, fill, mode):
    images = pixels((40, 7, 9, 3), np.uint8)
    rng = np.random.default_rng(2)
    flips, shifts = rng.random(40) < 0.5, rng.integers(-6, 7, (40, 2))
    moved = use(images, flips, shifts, fill)
    for image, flip, (down, right), result in zip(images, flips, shifts, moved):
        image = image[:, ::-1] if flip else image
        padded = np.pad(image, [(6, 6), (6, 6), (0, 0)], mode)
        assert np.array_equal(result, padded[6 - down : 13 - down, 6 - right : 15 - right])


def test_flip_and_shift_draw_every_whole_pixel_alike():
    images = np.zeros((6000, 8, 12, 1), np.uint8)
    images[:, 3, 4] = 1  # where this pixel goes says what was drawn
    moved = Augmentation(flip=True, shift=0.25, fill="zero")(images, np.random.default_rng(0))
    _, rows, columns, _ = np.nonzero(moved)
    assert np.array_equal(np.unique(rows - 3), np.arange(-2, 3))
    unflipped, flipped = np.arange(4 - 3, 4 + 4), np.arange(7 - 3, 7 + 4)
    assert set(columns) == {*unflipped, *flipped}
    shares = np.bincount(rows - 1) / len(rows)
    assert np.abs(shares - 1 / 5).max() < 0.03
    assert abs((columns < 4).mean() - 3 / 14) < 0.03  # only what was not mirrored comes to 1, 2 and 3


def one(flip=False, shift=(0, 0), angle=0, zoom=1, slant=0):
    return inverse_maps(
        np.array([flip]),
        np.array([shift], float),
        np.deg2rad([float(angle)]),
        np.array([float(zoom)]),
        np.deg2rad([float(slant)]),
    )


@pytest.mark.parametrize("size", [5, 6])
def test_maps_by_hand(size):
    image = pixels((1, size, size, 3), np.uint8)

    def apply(**what):
        return resample(image, one(**what), "zero")[0]

    original = image[0]
    assert np.array_equal(apply(), original)
    assert np.array_equal(apply(flip=True), original[:, ::-1])
    assert np.array_equal(apply(angle=90), np.rot90(original))  # counter-clockwise, as NumPy's
    assert np.array_equal(apply(angle=180), original[::-1, ::-1])
    down_right = np.zeros_like(original)
    down_right[2:, 1:] = original[:-2, :-1]
    assert np.array_equal(apply(shift=(2, 1)), down_right)
    # First mirrored and turned, then moved: the other order would move it elsewhere.
    both = np.zeros_like(original)
    both[2:, 1:] = np.rot90(original[:, ::-1])[:-2, :-1]
    assert np.array_equal(apply(flip=True, angle=90, shift=(2, 1)), both)


def test_zoom_above_one_enlarges_and_shear_slides_rows():
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, 3:6, 3:6] = 1
    assert resample(image, one(zoom=2), "zero").sum() > 2.5 * image.sum()
    assert resample(image, one(zoom=0.5), "zero").sum() < 0.5 * image.sum()
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, :, 4] = 1  # an upright line becomes a diagonal, its middle stays
    slanted = resample(image, one(slant=45), "zero")[0, :, :, 0]
    np.testing.assert_allclose(slanted, np.eye(9), atol=1e-5)


def test_zoom_factors_lie_where_they_should():
    """A disc's area goes with the square of the factor."""
    row, column = np.ogrid[-20:21, -20:21]
    disc = ((row**2 + column**2) <= 100).astype(np.float32)
    images = np.repeat(disc[None, :, :, None], 500, axis=0)
    zoomed = Augmentation(zoom=0.2, rotate=1e-9)(images, np.random.default_rng(0))
    factors = np.sqrt(zoomed.sum((1, 2, 3)) / disc.sum())
    assert 0.78 < factors.min() < 0.82 and 1.18 < factors.max() < 1.22 and abs(factors.mean() - 1) < 0.02


def test_uint8_rounds_to_the_nearest():
    image = np.zeros((1, 1, 2, 1), np.uint8)
    image[0, 0, :, 0] = [10, 13]
    between = [resample(image, one(shift=(0, -share)), "nearest")[0, 0, 0, 0] for share in (0.25, 0.5, 0.75)]
    assert between == [11, 12, 12]  # 10.75, 11.5, 12.25


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_config_rebuilds_it(settings):
    augment = Augmentation(**settings, fill="reflect")
    again = Augmentation(**json.loads(json.dumps(augment.config())))
    assert again.config() == augment.config()
    assert repr(again) == repr(augment)
    assert eval(repr(again)).config() == augment.config()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"shift": 1}, "shift: expected a fraction from 0 to below 1, got 1"),
        ({"shift": -0.1}, "shift: .* got -0.1"),
        ({"rotate": float("nan")}, "rotate: expected degrees .* got nan"),
        ({"rotate": "15"}, "rotate: .* got '15'"),
        ({"zoom": 1.0}, "zoom: .* got 1.0"),
        ({"zoom": True}, "zoom: .* got True"),
        ({"shear": 90}, "shear: expected degrees from 0 to below 90, got 90"),
        ({"flip": "no"}, "flip: expected True or False, got 'no'"),
        ({"alternate_flip": 2}, "alternate_flip: expected True or False, got 2"),
        ({"fill": "wrap"}, "fill: expected one of nearest, zero, reflect, got 'wrap'"),
    ],
    ids=str,
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Augmentation(**arguments)


@pytest.mark.parametrize("images", [np.zeros((4, 4, 3), np.uint8), np.zeros((1, 4, 4, 3), bool), np.array([["a"]])])
def test_images_of_another_kind(images):
    with pytest.raises(ArgumentError, match=r"expected images .* of floats or integers"):
        Augmentation(flip=True)(images, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("settings", [{}, {"rotate": 20}], ids=str)
def test_cutout_paints_one_square_in_the_mean_colour(settings, dtype):
    """Pixels outside a square of 4x4 stay, and those inside are the mean; over many images it lies everywhere."""
    images = pixels((400, 8, 11, 3), dtype)
    plain, cut = (Augmentation(**settings, cutout=part)(images, np.random.default_rng(1)) for part in (0, 0.5))
    assert cut.dtype == dtype and Augmentation(cutout=0.5).config()["cutout"] == 0.5
    areas, counts = set(), np.zeros((8, 11))
    for before, after in zip(plain, cut):
        changed = (before != after).any(axis=2)
        rows, columns = np.nonzero(changed.any(axis=1))[0], np.nonzero(changed.any(axis=0))[0]
        mean = before.astype(float).mean(axis=(0, 1))
        mean = np.floor(mean + 0.5) if dtype == np.uint8 else mean
        np.testing.assert_allclose(after[changed], np.broadcast_to(mean, (changed.sum(), 3)), rtol=1e-5)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() >= height * width - 2  # a pixel may have that colour already
        areas.add((height, width))
        counts += changed
    assert max(areas) == (4, 4) and (1, 1) not in areas and counts.min() > 0
    assert counts[3:5, 3:8].mean() == pytest.approx(400 * 16 / 88, rel=0.15)


def test_alternating_flips_show_every_image_from_both_sides_in_two_epochs():
    """However often epochs are shuffled, and wherever a batch begins; the side of the first epoch is drawn."""
    images = np.zeros((30, 2, 3, 1), np.uint8)
    images[:, 0, 0, 0] = 1
    images[:, 1, 1, 0] = np.arange(30)  # which image it is
    batches = Batches(images, np.arange(30), 7, seed=3, augment=Augmentation(alternate_flip=True), workers=0)
    sides = np.full((4, 30), -1)
    for epoch in range(4):
        for x, y in batches.epoch(epoch):
            assert np.array_equal(x[:, 1, 1, 0], y)
            sides[epoch, y] = x[:, 0, 2, 0]
    assert np.array_equal(sides[0], 1 - sides[1]) and np.array_equal(sides[0], sides[2])
    assert np.array_equal(sides[1], sides[3]) and 5 < sides[0].sum() < 25
    later = next(batches.epoch(1, start=2))
    assert np.array_equal(later[0][:, 0, 2, 0], sides[1, later[1]])
    assert Augmentation(alternate_flip=True).config()["alternate_flip"] is True
    shares = Augmentation(alternate_flip=True)(np.repeat(images[:1], 600, axis=0), np.random.default_rng(0))
    assert 250 < shares[:, 0, 2, 0].sum() < 350  # without Batches it is drawn


def test_parts_of_a_batch_are_augmented_as_the_whole():
    images, augment = pixels((11, 8, 9, 3), np.uint8), Augmentation(alternate_flip=True, shift=0.2, cutout=0.3)
    seen = []
    for rows in (slice(0, 5), slice(5, 11), slice(0, 11)):
        batches = Batches(images, np.arange(11), 11, seed=1, augment=augment, workers=0, rows=lambda count, r=rows: r)
        seen.append(next(batches.epoch(1))[0])
    assert np.array_equal(np.concatenate(seen[:2]), seen[2])
