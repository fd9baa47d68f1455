"""Grey images: one channel, from files of every kind, in folders, and in training."""

import numpy as np
import pytest
from minitorch_cnn.callbacks import Checkpoint
from PIL import Image

import minitorch_cnn as mtc
from minitorch_cnn import datasets, layers, optimizers
from minitorch_cnn.datasets.image_folder import ImageFolder
from minitorch_cnn.errors import ArgumentError, CheckpointError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def saved(folder, name, mode="RGB", **options):
    path = folder / name
    Image.fromarray(PIXELS).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize("name, mode", [
    ("a.png", "RGB"), ("grey.png", "L"), ("a.bmp", "RGB"), ("a.gif", "P"), ("cmyk.tif", "CMYK"), ("t.png", "RGBA"),
    ("a.jpg", "RGB"), ("grey.jpg", "L"), ("one.png", "1"),
])  # fmt: skip
def test_grey_is_the_weighted_sum_of_the_colours(tmp_path, name, mode):
    path = saved(tmp_path, name, mode)
    grey = datasets.load_image(path, 5, 7, "grayscale")
    assert grey.shape == (5, 7, 1) and grey.dtype == np.uint8
    colours = datasets.load_image(path, 5, 7).astype(float)
    assert abs(grey[..., 0] - colours @ [0.299, 0.587, 0.114]).max() <= 0.501  # rounded, ITU-R 601 as in Keras
    if mode == "L":
        assert np.array_equal(np.repeat(grey, 3, axis=2), colours)


def test_orientation_and_size_are_those_of_the_coloured_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, "turned.jpg", exif=exif)
    colours = datasets.load_image(path, 9, 4).astype(float)
    assert abs(datasets.load_image(path, 9, 4, "grayscale")[..., 0] - colours @ [0.299, 0.587, 0.114]).max() <= 0.501


@pytest.fixture
def folder(tmp_path):
    for part in ("cats", "dogs"):
        (tmp_path / "photos" / part).mkdir(parents=True)
        for number in range(5):
            pixels = RNG.integers(0, 128, (8, 6, 3), dtype=np.uint8) + (100 if part == "dogs" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / part / f"{number}.png")
    return tmp_path / "photos"


def test_a_folder_of_grey_images(folder):
    grey, colours = (datasets.image_folder(folder, 6, 5, color_mode=mode) for mode in ("grayscale", "rgb"))
    assert grey.train_images.shape == (8, 6, 5, 1) and colours.train_images.shape == (8, 6, 5, 3)
    images, paths = grey.train_images, grey.train_images.paths
    for rows in (slice(None), np.array([3, 0, 3]), 2):
        expected = [datasets.load_image(paths[i], 6, 5, "grayscale") for i in np.atleast_1d(np.arange(8)[rows])]
        assert np.array_equal(np.reshape(images[rows], (-1, 6, 5, 1)), expected)
    sample = images.sample(3)
    assert sample.shape == (3, 6, 5, 1) and sample[:].shape == (3, 6, 5, 1)
    assert "of 6x5x1 in 2 classes" in str(grey)
    small = ImageFolder(paths, None, 6, 5, kept_bytes=30 * 3, color_mode="grayscale")
    assert small[:].shape == (8, 6, 5, 1) and len(small._kept) == 3  # a third of the memory: 30 bytes each


def test_training_on_grey_images_is_not_resumed_with_coloured_ones(folder, tmp_path):
    def fit(mode, channels, **options):
        data = datasets.image_folder(folder, 6, 5, color_mode=mode)
        model = mtc.Sequential(
            [layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(1, activation="sigmoid")],
            input_shape=(6, 5, channels), seed=0, preprocessing=datasets.preprocessing.Unit(),
        )  # fmt: skip
        path = tmp_path / "c.npz"
        return model.fit(data.train_images, data.train_labels, optimizer=optimizers.SGD(0.1), epochs=2,
                         validation=(data.test_images, data.test_labels), callbacks=[Checkpoint(path)], progress=False,
                         augment=datasets.Augmentation(flip=True, rotate=5), **options)  # fmt: skip

    assert len(fit("grayscale", 1)["val_loss"]) == 2
    with pytest.raises(CheckpointError, match="the training images had size 6x5x1 in the run, now they have 6x5"):
        fit("rgb", 3, resume=tmp_path / "c.npz")


@pytest.mark.parametrize("mode", ["rgba", "grey", 1, None])
def test_other_modes_are_one_line(tmp_path, folder, mode):
    path = saved(tmp_path, "a.png")
    for load in (
        lambda: datasets.load_image(path, 5, 7, mode),
        lambda: datasets.image_folder(folder, 5, 7, color_mode=mode),
    ):
        with pytest.raises(ArgumentError, match=f"color_mode: expected rgb or grayscale, got {mode!r}"):
            load()
