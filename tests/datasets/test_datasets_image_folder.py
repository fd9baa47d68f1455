"""Folders of images and Cats vs Dogs: every layout, and files that are no images among them."""

import hashlib
import importlib
import os
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minitorch_cnn.datasets import Batches, ImageFolder, cats_vs_dogs, image_folder, load_image
from minitorch_cnn.errors import ArgumentError, DataError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cats_and_dogs.tar"
folder_module = importlib.import_module("minitorch_cnn.datasets.image_folder")
cats_module = importlib.import_module("minitorch_cnn.datasets.cats_vs_dogs")


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = set(threading.enumerate())
    yield
    # A test's own web server may still be on its way out.
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith(("images", "batches"))]


def picture(path, value):
    """A grey picture whose brightness says which it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (14, 10), (value,) * 3).save(path, format="PNG")
    return path


def truncated(path):
    """A file whose header is right and whose pixels end in the middle."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:-400])
    return path


def values(images):
    return images[:, 0, 0, 0].tolist()


# ---- ImageFolder


@pytest.fixture
def folder(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", 10 * i) for i in range(8)]
    return ImageFolder(paths, np.array([0, 1, 0, 1, 0, 1, 0, 1]), 5, 7)


def test_looks_like_an_array(folder):
    assert folder.shape == (8, 5, 7, 3) and folder.dtype == np.uint8 and folder.ndim == 4 and len(folder) == 8
    array = folder[:]
    assert array.shape == folder.shape and array.dtype == np.uint8
    assert values(array) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert np.array_equal(folder[3], load_image(folder.paths[3], 5, 7))
    for indices in (np.array([5, 0, 5]), [7, -1], slice(1, 6, 2), np.arange(8) % 3 == 0, np.array([], np.int64)):
        assert np.array_equal(folder[indices], array[indices])
    for index in (8, np.array([0, 8])):
        with pytest.raises(IndexError):
            folder[index]


@pytest.mark.parametrize("workers", [0, 1, 8])
def test_through_batches(folder, workers):
    folder.workers = max(1, workers)
    lazy = Batches(folder, folder.labels, 3, seed=1, workers=workers)
    eager = Batches(folder[:], folder.labels, 3, seed=1, workers=0)
    for (x, y), (x2, y2) in zip(lazy.epoch(2), eager.epoch(2)):
        assert np.array_equal(x, x2) and np.array_equal(y, y2)


@pytest.mark.parametrize("room, decoded_twice", [(8, 0), (3, 5), (0, 8)])
def test_what_was_decoded_stays_in_memory_while_there_is_room(folder, monkeypatch, room, decoded_twice):
    decoded = []

    def counted(path, height, width, color_mode):
        decoded.append(path)
        return load_image(path, height, width, color_mode)

    monkeypatch.setattr(folder_module, "load_image", counted)
    kept = ImageFolder(folder.paths, folder.labels, 5, 7, kept_bytes=room * 5 * 7 * 3 + 1)
    first = kept[:]
    assert len(decoded) == 8
    first[:] = 0  # the caller's own
    one = kept[0]
    one[:] = 0
    decoded.clear()
    assert values(kept[:]) == [0, 10, 20, 30, 40, 50, 60, 70] and len(decoded) == decoded_twice
    assert values(kept[[6, 1, 1]]) == [60, 10, 10]


def test_a_sample(folder):
    some = folder.sample(5, seed=3)
    assert len(some) == 5 and values(some[:]) == sorted(set(values(some[:])))  # five different ones, in their order
    assert some.labels.tolist() == [value // 10 % 2 for value in values(some[:])]
    assert values(folder.sample(5, seed=3)[:]) == values(some[:]) != values(folder.sample(5, seed=4)[:])
    assert values(folder.sample(99)[:]) == values(folder[:])
    assert ImageFolder(folder.paths, None, 5, 7).sample(2).labels is None


def test_another_image_of_the_class_stands_in_for_a_damaged_one(folder):
    truncated(folder.paths[2])
    truncated(folder.paths[7])
    for _ in range(2):
        assert values(folder[:]) == [0, 10, 40, 30, 40, 50, 60, 10]
    assert sorted(folder.skipped) == [str(folder.paths[2]), str(folder.paths[7])]


def test_damage_that_nothing_can_stand_in_for(folder):
    for i in (0, 2, 4, 6):
        truncated(folder.paths[i])
    with pytest.raises(DataError, match="all others of its class are damaged"):
        folder[:]
    unlabelled = ImageFolder(folder.paths, None, 5, 7)
    assert values(unlabelled[[1, 3]]) == [10, 30]
    with pytest.raises(DataError, match=r"4\.png: expected a whole image, got a damaged one"):
        unlabelled[[1, 4]]


def test_arguments_that_do_not_fit(folder):
    with pytest.raises(ArgumentError, match=r"expected 8 labels, got \(7,\)"):
        ImageFolder(folder.paths, np.zeros(7, int), 5, 7)
    with pytest.raises(ArgumentError, match="height: expected an integer"):
        ImageFolder(folder.paths, None, 0, 7)


# ---- image_folder


def fill(root, part, counts):
    for i, (name, count) in enumerate(counts.items()):
        for j in range(count):
            picture(root / part / name / f"{j:02}.png", 50 * i + j)


@pytest.mark.parametrize("test_part", ["validation", "val", "valid", "test"])
def test_train_and_test_folders(tmp_path, test_part):
    fill(tmp_path, "train", {"ant": 4, "bee": 3, "cow": 5})
    fill(tmp_path, test_part, {"ant": 2, "cow": 1})
    data = image_folder(tmp_path, 6, 8)
    assert data.name == tmp_path.name and data.class_names == ("ant", "bee", "cow")
    assert data.train_images.shape == (12, 6, 8, 3) and data.test_images.shape == (3, 6, 8, 3)
    assert data.train_labels.tolist() == [0] * 4 + [1] * 3 + [2] * 5
    assert data.test_labels.tolist() == [0, 0, 2]
    assert values(data.train_images[:]) == [0, 1, 2, 3, 50, 51, 52, 100, 101, 102, 103, 104]
    assert "12 training and 3 test images of 6x8x3 in 3 classes" in str(data)


@pytest.mark.parametrize("part", ["", "train"])
def test_setting_aside(tmp_path, part):
    fill(tmp_path, part, {"ant": 10, "bee": 20})
    if part:
        picture(tmp_path / "test" / "001.png", 0)  # a test part without classes, as competitions have it
    data = image_folder(tmp_path, 6, 8, test_fraction=0.3, seed=1)
    assert np.bincount(data.train_labels).tolist() == [7, 14] and np.bincount(data.test_labels).tolist() == [3, 6]
    train, test = set(data.train_images.paths), set(data.test_images.paths)
    assert len(train | test) == 30
    assert set(image_folder(tmp_path, 6, 8, test_fraction=0.3, seed=1).test_images.paths) == test
    assert set(image_folder(tmp_path, 6, 8, test_fraction=0.3, seed=2).test_images.paths) != test


def test_of_several_parts_the_usual_one_that_holds_something(tmp_path):
    """`train` before `Train` before `training`; an empty folder is none of them."""
    expected = {"training-set": 1, "Train": 2, "train": 3}
    for name, count in expected.items():
        for kind in ("ant", "bee"):
            (tmp_path / name / kind).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (5, 5)).save(tmp_path / name / kind / f"{number}.png")
            (tmp_path / "Test_Set" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (5, 5)).save(tmp_path / "Test_Set" / kind / "0.png")
        data = image_folder(tmp_path, 4, 4)
        assert (len(data.train_images), len(data.test_images)) == (2 * count, 2)
        assert [name for name in data.skipped if "a folder beside" not in name] == []
    shutil.rmtree(tmp_path / "train")
    (tmp_path / "train").mkdir()
    assert len(image_folder(tmp_path, 4, 4).train_images) == 4


def test_a_class_may_be_called_training(tmp_path):
    for name in ("resting", "training"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (5, 5)).save(tmp_path / name / f"{number}.png")
    assert image_folder(tmp_path, 4, 4).class_names == ("resting", "training")


def test_files_that_are_no_images_are_skipped(tmp_path):
    fill(tmp_path, "train", {"ant": 3, "bee": 3})
    fill(tmp_path, "validation", {"ant": 1, "bee": 1})
    ant = tmp_path / "train" / "ant"
    (ant / "Thumbs.db").write_bytes(b"not an image")
    (ant / "666.jpg").write_bytes(b"")
    (ant / ".DS_Store").write_bytes(b"hidden")
    (ant / "folder inside").mkdir()
    (tmp_path / "validation" / "bee" / "notes.txt").write_text("")
    truncated(tmp_path / "train" / "bee" / "00.png")
    data = image_folder(tmp_path, 6, 8)
    expected = [str(ant / "666.jpg"), str(ant / "Thumbs.db"), str(tmp_path / "validation" / "bee" / "notes.txt")]
    assert sorted(data.skipped) == expected
    assert str(data).endswith("; 3 files skipped")
    assert values(data.train_images[:]) == [0, 1, 2, 51, 51, 52]
    assert data.skipped[3:] == [str(tmp_path / "train" / "bee" / "00.png")]


def test_folders_inside_a_class_are_searched(tmp_path):
    fill(tmp_path, "", {"bee": 3, "ant": 2, "ant/2024/may": 2, "ant/2023": 1, "bee/.thumbnails": 4, "ant/__MACOSX": 1})
    (tmp_path / "ant" / "2023" / "notes.txt").write_text("no image")
    data = image_folder(tmp_path, 6, 8, test_fraction=0.2)
    assert data.class_names == ("ant", "bee")
    found = [str(path.relative_to(tmp_path)) for part in (data.train_images, data.test_images) for path in part.paths]
    assert sorted(found) == [
        "ant/00.png", "ant/01.png", "ant/2023/00.png", "ant/2024/may/00.png", "ant/2024/may/01.png",
        "bee/00.png", "bee/01.png", "bee/02.png",
    ]  # fmt: skip
    assert data.skipped == [str(tmp_path / "ant" / "2023" / "notes.txt")]


def test_a_class_with_one_image(tmp_path):
    fill(tmp_path, "train", {"ant": 5, "bee": 1, "cow": 1})
    with pytest.raises(DataError, match=r"class bee: expected at least 2 images, .* got 1; the same in 1 more"):
        image_folder(tmp_path, 6, 8)
    fill(tmp_path, "test", {"ant": 1, "bee": 1})  # nothing has to be set aside now
    assert image_folder(tmp_path, 6, 8).train_labels.tolist() == [0, 0, 0, 0, 0, 1, 2]


def test_the_smallest_classes_are_trained_on_and_tested(tmp_path):
    fill(tmp_path, "", {"ant": 2, "bee": 2, "cow": 3})
    for seed in range(5):
        data = image_folder(tmp_path, 6, 8, test_fraction=0.2, seed=seed)
        assert np.bincount(data.train_labels).tolist() == [1, 1, 2]
        assert np.bincount(data.test_labels).tolist() == [1, 1, 1]


def test_a_name_that_is_no_text_can_be_reported(tmp_path):
    """Archives made elsewhere have names in other encodings; a report is UTF-8."""
    fill(tmp_path, "", {"ant": 3, "bee": 3})
    for folder, contents in ((b"ant", b"not an image"), (b"bee", truncated(tmp_path / "x.jpg").read_bytes())):
        with open(os.path.join(os.fsencode(tmp_path), folder, b"0\xe9.jpg"), "wb") as file:
            file.write(contents)
    (tmp_path / "x.jpg").unlink()
    data = image_folder(tmp_path, 6, 8, test_fraction=0.3)
    for images in (data.train_images, data.test_images):
        images[:]
    assert [name.encode() for name in data.skipped] == [
        f"{tmp_path}/{folder}/0\\xe9.jpg".encode() for folder in ("ant", "bee")
    ]  # fmt: skip


def test_what_unpacking_leaves_behind_is_no_class(tmp_path):
    fill(tmp_path, "", {"ant": 3, "bee": 3})
    (tmp_path / "__MACOSX" / "ant").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "._ant").write_bytes(b"Mac OS X")
    assert image_folder(tmp_path, 6, 8).class_names == ("ant", "bee")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda root: None, "expected a folder for each class, in train/ or directly inside, found none"),
        (lambda root: fill(root, "train", {"ant": 2}), "expected a folder for each class.* found only ant"),
        (lambda root: picture(root / "train" / "1.png", 0), "found none"),
        (lambda root: fill(root, "all", {"ant": 2, "bee": 2}), r"only all; if its classes are in all, name .*/all$"),
        (lambda root: fill(root, "", {"ant": 2, "bee": 2}) or (root / "cow").mkdir(), "class cow: expected images"),
        (
            lambda root: fill(root, "train", {"ant": 2, "bee": 2}) or fill(root, "test", {"ant": 1, "ox": 1}),
            r"the same classes for testing as for training \(ant, bee\), got ox",
        ),
    ],
)
def test_folders_that_are_not_like_that(tmp_path, make, message):
    make(tmp_path / "root")
    (tmp_path / "root").mkdir(exist_ok=True)
    with pytest.raises(DataError, match=message) as caught:
        image_folder(tmp_path / "root", 6, 8)
    assert "\n" not in str(caught.value)


def test_places_that_are_no_folders(tmp_path):
    for absent in ("absent", "a" * 300, "a\0b"):
        with pytest.raises(DataError, match=r"image_folder: .*: expected a folder, found nothing there"):
            image_folder(tmp_path / absent, 6, 8)
    (tmp_path / "x.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"unpack an archive first"):
        cats_vs_dogs(tmp_path / "x.zip")
    fill(tmp_path, "", {"ant": 2, "bee": 2})
    with pytest.raises(ArgumentError, match="test_fraction: expected a number between 0 and 1, got 1"):
        image_folder(tmp_path, 6, 8, test_fraction=1)


def test_a_folder_that_may_not_be_looked_at(tmp_path, monkeypatch):
    fill(tmp_path, "", {"ant": 2, "bee": 2})

    def refuse(folder, right=Path.iterdir):
        if folder.name == "bee":
            raise PermissionError(13, "Permission denied", str(folder))
        return right(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=r"bee: expected a readable folder: Permission denied$"):
        image_folder(tmp_path, 6, 8)


# ---- cats_vs_dogs: cats are brightness 0 to 9, dogs 50 to 59


def flat(folder):
    for i in range(10):
        picture(folder / f"cat.{i}.jpg", i)
        picture(folder / f"dog.{i}.jpg", 50 + i)
    picture(folder / "cover.jpg", 200)


def with_validation(root):
    fill(root, "train", {"cats": 10, "dogs": 10})
    fill(root, "validation", {"cats": 4, "dogs": 4})


LAYOUTS = {
    "train and validation": (with_validation, "", 20, 8),
    "Cat and Dog": (lambda root: fill(root, "", {"Cat": 10, "Dog": 10}), "", 16, 4),
    "PetImages inside": (lambda root: fill(root, "PetImages", {"Cat": 10, "Dog": 10}), "", 16, 4),
    "PetImages": (lambda root: fill(root, "PetImages", {"Cat": 10, "Dog": 10}), "PetImages", 16, 4),
    "flat": (lambda root: flat(root), "", 16, 4),
    "flat in train": (lambda root: flat(root / "train") or picture(root / "test1" / "1.jpg", 0), "", 16, 4),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_cats_and_dogs(tmp_path, layout):
    make, place, train, test = LAYOUTS[layout]
    make(tmp_path)
    data = cats_vs_dogs(tmp_path / place, 6, 8)
    assert data.name == "cats_vs_dogs" and data.class_names == ("cat", "dog") and data.skipped == []
    assert len(data.train_images) == train and len(data.test_images) == test
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        assert np.bincount(labels).tolist() == [len(labels) // 2] * 2
        assert [int(value >= 50) for value in values(images[:])] == labels.tolist()
    assert cats_vs_dogs(tmp_path / place).train_images.shape[1:] == (150, 150, 3)


def test_other_animals(tmp_path):
    fill(tmp_path, "", {"Cat": 2, "Dog": 2, "Ox": 2})
    with pytest.raises(DataError, match="expected the classes cat and dog, found Cat, Dog, Ox"):
        cats_vs_dogs(tmp_path)


def test_download(tmp_path, monkeypatch, serve):
    fill(tmp_path / "original", "PetImages", {"Cat": 10, "Dog": 10})
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted((tmp_path / "original").rglob("*.png")):
            archive.write(path, f"PetImages/{path.parent.name}/{int(path.stem)}.jpg")
        archive.writestr("PetImages/Cat/Thumbs.db", b"")
        archive.writestr("PetImages/Cat/666.jpg", b"")
        archive.writestr("readme[1].txt", b"")
    data = (tmp_path / "x.zip").read_bytes()
    monkeypatch.setattr(cats_module, "CHECKSUM", "sha256:" + hashlib.sha256(data).hexdigest())
    server, cache = serve(data, "ok"), tmp_path / "cache"
    for kwargs in ({"urls": server.url, "progress": False}, {"download": False}):
        data = cats_vs_dogs(None, 6, 8, cache=cache, **kwargs)
        assert len(data.train_images) == 16 and len(data.test_images) == 4
        assert data.skipped == [str(cache / "PetImages" / "Cat" / "666.jpg")]
    assert len(server.requests) == 1
    with pytest.raises(DataError, match=r"switched off; download https.* unpack it and pass the folder with --data"):
        cats_vs_dogs(download=False, cache=tmp_path / "empty")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_file(), reason=f"the real photos are not there: {SHARED}")
def test_real_photos(tmp_path):
    with tarfile.open(SHARED) as archive:
        members = [member for member in archive.getmembers() if member.name.endswith(("1.jpg", "2.jpg"))][::4]
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # since Python 3.11.4
        archive.extractall(tmp_path, members, **safe)
    data = cats_vs_dogs(tmp_path / "cats_and_dogs", 150, 150)
    assert np.bincount(data.train_labels).min() > 40 and np.bincount(data.test_labels).min() > 10
    images, labels = next(Batches(data.train_images, data.train_labels, 32).epoch(0))
    assert images.shape == (32, 150, 150, 3) and labels.shape == (32,)
    assert images.std(axis=(1, 2, 3)).min() > 10
    assert data.skipped == []
