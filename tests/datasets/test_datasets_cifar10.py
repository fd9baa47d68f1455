"""CIFAR-10 from records built by hand: every way to name the place, and every way to get it wrong."""

import hashlib
import importlib
import io
import tarfile

import numpy as np
import pytest

from minitorch_cnn.datasets import cifar10
from minitorch_cnn.errors import DataError

module = importlib.import_module("minitorch_cnn.datasets.cifar10")
NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]


def record(label, seed):
    """One record byte by byte, and the image it means."""
    image = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    planes = [bytes(image[row, column, c] for row in range(32) for column in range(32)) for c in range(3)]
    return bytes([label]) + b"".join(planes), image


def write(folder, counts=(1, 3, 2, 2, 2, 3)):
    """A small CIFAR-10; returns its images and labels in order."""
    folder.mkdir(parents=True)
    images, labels = [], []
    for name, count in zip(NAMES, counts):
        data = b""
        for _ in range(count):
            labels.append((7 * len(labels)) % 10)
            one, image = record(labels[-1], len(labels))
            data += one
            images.append(image)
        (folder / name).write_bytes(data)
    return np.stack(images), np.array(labels)


def pack(folder, archive, inside="cifar-10-batches-bin"):
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, f"{inside}/{path.name}")
    return archive


def same(data, images, labels):
    return (
        np.array_equal(data.train_images, images[:10])
        and np.array_equal(data.test_images, images[10:])
        and np.array_equal(data.train_labels, labels[:10])
        and np.array_equal(data.test_labels, labels[10:])
    )


@pytest.mark.parametrize("named", ["folder", "parent", "archive", "string", "archive without a folder"])
def test_every_way_to_name_the_place(tmp_path, named):
    folder = tmp_path / "cifar-10-batches-bin"
    images, labels = write(folder)
    place = {
        "folder": lambda: folder,
        "parent": lambda: tmp_path,
        "string": lambda: str(folder),
        "archive": lambda: pack(folder, tmp_path / "x.tar.gz"),
        "archive without a folder": lambda: pack(folder, tmp_path / "x.tar.gz", "."),
    }[named]()
    data = cifar10(place)
    assert same(data, images, labels)
    assert data.train_images.flags.c_contiguous and data.train_images.flags.writeable
    assert data.class_names[3] == "cat" and len(data.class_names) == 10


def test_names_from_the_meta_file(tmp_path):
    write(tmp_path / "x")
    (tmp_path / "x" / "batches.meta.txt").write_text("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n")
    assert cifar10(tmp_path / "x").class_names == tuple("abcdefghij")
    (tmp_path / "x" / "batches.meta.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match="expected 10 class names, got 2"):
        cifar10(tmp_path / "x")


def cut(folder, name="data_batch_3.bin", at=3073 + 500):
    (folder / name).write_bytes((folder / name).read_bytes()[:at])


def relabel(folder):
    data = bytearray((folder / "data_batch_2.bin").read_bytes())
    data[3073] = 10
    (folder / "data_batch_2.bin").write_bytes(data)


def python_version(folder):
    for name in NAMES:
        (folder / name).rename(folder / name.removesuffix(".bin"))


def matlab_version(folder):
    for name in NAMES:
        (folder / name).rename((folder / name).with_suffix(".mat"))


@pytest.mark.parametrize(
    "damage, message",
    [
        (cut, "data_batch_3.bin: expected a whole number of records of 3073 bytes, got 3573 bytes"),
        (lambda folder: cut(folder, at=0), "data_batch_3.bin: expected a whole number .* got 0 bytes"),
        (lambda folder: (folder / "test_batch.bin").unlink(), "missing: test_batch.bin; found: data_batch_1.bin"),
        (relabel, "data_batch_2.bin: image 1: expected a label from 0 to 9, got 10"),
        (python_version, "this is the Python version .* get the binary version, https://"),
        (matlab_version, "this is the Matlab version"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "missing: data_batch_1.bin, .* found: nothing"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_damage_is_one_line(tmp_path, damage, message, packed):
    folder = tmp_path / "folder"
    write(folder)
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        cifar10(pack(folder, tmp_path / "x.tar.gz") if packed else folder)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("cifar10: ")


def test_a_file_cut_off_between_two_records(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RECORDS", 2)
    monkeypatch.setattr(module, "LARGEST", 2 * 3073)
    write(tmp_path / "x", (2, 2, 2, 1, 2, 2))
    with pytest.raises(DataError, match=r"data_batch_4\.bin: expected 2 images, got 1"):
        cifar10(tmp_path / "x")


def test_places_where_nothing_is(tmp_path):
    with pytest.raises(DataError, match="found nothing there"):
        cifar10(tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"expected a complete \.tar\.gz"):
        cifar10(tmp_path / "file")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"found: holiday\.jpg"):
        cifar10(tmp_path / "one")


@pytest.fixture
def published(tmp_path, monkeypatch, serve):
    """A small CIFAR-10 on a server of ours, and what it holds."""
    images, labels = write(tmp_path / "original", (2,) * 6)
    archive = pack(tmp_path / "original", tmp_path / "original.tar.gz").read_bytes()
    monkeypatch.setattr(module, "CHECKSUM", "md5:" + hashlib.md5(archive).hexdigest())
    monkeypatch.setattr(module, "RECORDS", 2)
    monkeypatch.setattr(module, "LARGEST", 2 * 3073)
    return serve(archive, "ok"), images, labels


@pytest.mark.parametrize("how", ["argument", "arguments", "environment"])
def test_download(tmp_path, monkeypatch, published, how):
    server, images, labels = published
    cache = tmp_path / "cache"
    monkeypatch.setenv("MINITORCH_CNN_CACHE", str(cache))
    urls = {"argument": server.url, "arguments": [server.url], "environment": None}[how]
    monkeypatch.setenv("MINITORCH_CNN_CIFAR10_URL", "http://127.0.0.1:1/" if urls else f"  {server.url} {server.url}")
    assert same(cifar10(urls=urls, progress=False), images, labels)
    # From then on there is no network in it, and a damaged cache mends itself from the archive.
    assert same(cifar10(download=False), images, labels)
    (cache / "cifar-10-batches-bin" / "test_batch.bin").write_bytes(b"cut off")
    (cache / "cifar-10-batches-bin" / "data_batch_1.bin").unlink()
    assert same(cifar10(download=False), images, labels)
    assert len(server.requests) == 1
    assert sorted(path.name for path in cache.iterdir()) == ["cifar-10-batches-bin", "cifar-10-binary.tar.gz"]


def test_progress_goes_to_standard_error(tmp_path, published, capsys):
    server, _, _ = published
    cifar10(urls=server.url, cache=tmp_path / "cache")
    captured = capsys.readouterr()
    assert captured.out == "" and "cifar-10-binary.tar.gz" in captured.err


def test_download_not_wanted_or_not_possible(tmp_path, serve):
    with pytest.raises(DataError, match=r"switched off; download https.* --data cifar-10-binary\.tar\.gz"):
        cifar10(download=False, cache=tmp_path)
    server = serve(b"", "404")
    with pytest.raises(DataError, match=r"HTTP status 404.*; download https.* --data cifar-10-binary\.tar\.gz"):
        cifar10(urls=server.url, cache=tmp_path, progress=False)


def test_an_archive_with_more_than_it_should(tmp_path):
    """Members beside the six files are not unpacked, whatever they are called."""
    write(tmp_path / "x")
    pack(tmp_path / "x", tmp_path / "x.tar.gz")
    with tarfile.open(tmp_path / "y.tar.gz", "w:gz") as tar:
        for path in sorted((tmp_path / "x").iterdir()):
            tar.add(path, f"cifar-10-batches-bin/{path.name}")
        member = tarfile.TarInfo("../../outside.txt")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    assert len(cifar10(tmp_path / "y.tar.gz").train_images) == 10
    assert not list(tmp_path.parent.rglob("outside.txt"))
