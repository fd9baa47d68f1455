"""Links in a folder of images: those that stay inside are followed, all others are left out and listed."""

import os

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.datasets import cats_vs_dogs, cifar10, image_folder
from minitorch_cnn.datasets.cifar10 import RECORD, TEST_FILE, TRAIN_FILES
from minitorch_cnn.errors import DataError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no links and pipes")
OUT = "a link that leads out of the folder"


def fill(folder, names=("ant", "bee"), pattern="{}.png"):
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            Image.new("RGB", (5, 5), (number,) * 3).save(folder / name / pattern.format(number))
    return folder


@pytest.fixture
def data(tmp_path):
    fill(tmp_path / "elsewhere", ("secret",))
    return fill(tmp_path / "data")


def paths(dataset):
    return {str(path) for images in (dataset.train_images, dataset.test_images) for path in images.paths}


def test_links_to_files(data):
    ant = data / "ant"
    (ant / "inside.png").symlink_to("../bee/0.png")
    (ant / "outside.png").symlink_to("../../elsewhere/secret/0.png")
    (ant / "absolute.png").symlink_to("/etc/passwd")
    (ant / "broken.png").symlink_to("nowhere.png")
    (ant / "circle.png").symlink_to("circle.png")
    found = image_folder(data, 4, 4)
    assert found.skipped == [f"{ant / name}.png: {OUT}" for name in ("absolute", "broken", "circle", "outside")]
    assert len(paths(found)) == 7 and str(ant / "inside.png") in paths(found)


def test_links_to_folders(data):
    (data / "cow").symlink_to("bee")
    (data / "dog").symlink_to("../elsewhere/secret")
    (data / "eel").symlink_to(".")
    (data / "fox").symlink_to("..")
    for one, other in (("ant", "bee"), ("bee", "ant")):  # a circle
        (data / one / "next").symlink_to(f"../{other}")
    found = image_folder(data, 4, 4)
    assert found.class_names == ("ant", "bee", "cow")
    assert len(paths(found)) == 9
    assert found.skipped == [
        f"{data / 'dog'}: {OUT}", f"{data / 'fox'}: {OUT}", f"{data / 'ant' / 'next'}: a link to a folder",
        f"{data / 'bee' / 'next'}: a link to a folder", f"{data / 'cow' / 'next'}: a link to a folder",
        f"{data / 'eel'}: a link to a folder that it is in",
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["train", "validation"])
def test_links_to_parts(data, part):
    fill(data / "train")
    fill(data / "validation")
    os.rename(data / part, data.parent / part)
    (data / part).symlink_to(data.parent / part)
    for name in ("ant", "bee"):
        os.rename(data / name, data.parent / name)  # nothing else in the folder
    if part == "train":
        with pytest.raises(DataError, match=f"found only validation .1 skipped, the first: .*train: {OUT}"):
            image_folder(data, 4, 4)
    else:
        found = image_folder(data, 4, 4)
        assert found.skipped == [f"{data / 'validation'}: {OUT}"] and len(paths(found)) == 6


def test_the_folder_itself_may_be_a_link(data):
    (data.parent / "link").symlink_to(data)
    (data / "ant" / "inside.png").symlink_to(data / "bee" / "0.png")
    found = image_folder(data.parent / "link", 4, 4)
    assert found.skipped == [] and len(paths(found)) == 7


def test_pipes_and_devices_are_listed(data):
    os.mkfifo(data / "ant" / "pipe.png")
    (data / "ant" / "folder").mkdir()
    assert image_folder(data, 4, 4).skipped == [f"{data / 'ant' / 'pipe.png'}: not a file"]


def test_class_folders_that_are_printed_alike(data):
    for name in (b"\xff", rb"\xff"):
        os.mkdir(os.path.join(os.fsencode(data), name))
    with pytest.raises(DataError, match="two class folders are called"):
        image_folder(data, 4, 4)


def test_cats_and_dogs(data):
    flat = data.parent / "flat"
    flat.mkdir()
    for number in range(3):
        for animal in ("cat", "dog"):
            Image.new("RGB", (5, 5)).save(flat / f"{animal}.{number}.jpg")
    (flat / "cat.7.jpg").symlink_to(data / "ant" / "0.png")
    assert cats_vs_dogs(flat, 4, 4).skipped == [f"{flat / 'cat.7.jpg'}: {OUT}"]
    (data / "PetImages").symlink_to(fill(data.parent / "pets", ("Cat", "Dog")))
    for name in ("ant", "bee"):
        os.rename(data / name, data.parent / name)
    with pytest.raises(DataError, match=f"found none .1 skipped, the first: .*PetImages: {OUT}"):
        cats_vs_dogs(data, 4, 4)


def test_cifar10(tmp_path):
    inside, outside = tmp_path / "cifar", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        for name in (*TRAIN_FILES, TEST_FILE):
            np.zeros(2 * RECORD, np.uint8).tofile(folder / name)
    (tmp_path / "link").symlink_to(inside)
    (inside / TEST_FILE).unlink()
    (inside / TEST_FILE).symlink_to(TRAIN_FILES[0])
    assert len(cifar10(tmp_path / "link").test_images) == 2
    (inside / TEST_FILE).unlink()
    (inside / TEST_FILE).symlink_to(outside / TEST_FILE)
    with pytest.raises(DataError, match=r"test_batch\.bin: expected a file, found a link that leads out of the folder"):
        cifar10(inside)
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "cifar-10-batches-bin").symlink_to(outside)
    with pytest.raises(DataError, match="missing: data_batch_1"):
        cifar10(tmp_path / "upper")
