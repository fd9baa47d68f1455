"""Targets of the fuzzer: weight files, images, CIFAR-10, ImageNet's class index."""

import functools
import gzip
import importlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from minitorch_cnn.weight_files import read_class_index
from PIL import Image
from target import in_lines, small_model, written

from minitorch_cnn import datasets, keras_h5

FIXTURES = Path(__file__).parents[1] / "keras_h5" / "fixtures"
cifar10 = importlib.import_module("minitorch_cnn.datasets.cifar10")


def weight_files(*patterns):
    return [
        path.read_bytes()
        for pattern in patterns
        for path in sorted(FIXTURES.glob(pattern))
        if path.stat().st_size < 70_000
    ]


def read_weights(data, folder, name="weights.h5"):
    path = written(folder, name, data)
    in_lines(str(keras_h5.inspect(path)))
    for fit in (lambda: keras_h5.read(path), lambda: small_model().copy().load_weights(path, by_name=True)):
        fit()


def images():
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (14, 9, 3), dtype=np.uint8))
    for kind, options in (("PNG", {}), ("JPEG", {}), ("GIF", {}), ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("PPM", {}),
                          ("PNG", {"mode": "P"}), ("PNG", {"mode": "RGBA"}), ("JPEG", {"mode": "CMYK"}),
                          ("TIFF", {"mode": "I;16"}), ("JPEG", {"progressive": True}),
                          ("TIFF", {"compression": "tiff_lzw"})):  # fmt: skip
        options = dict(options)
        mode, file = options.pop("mode", "RGB"), io.BytesIO()
        image = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
        image.save(file, kind, **options)
        yield file.getvalue()


def read_image(data, folder):
    image = datasets.load_image(written(folder, "image", data), 8, 7)
    assert image.shape == (8, 7, 3) and image.dtype == np.uint8


# CIFAR-10: a file among five good ones, or the list of names; and the archives.


@functools.cache
def records(count=2):
    return bytes(
        (number * 7) % 10 if at == 0 else (at + number) % 256 for number in range(count) for at in range(cifar10.RECORD)
    )


def cifar_files():
    return [b"b" + records(1), b"b" + records(3), b"n" + "\n".join(cifar10.CLASS_NAMES).encode()]


def read_cifar(data, folder):
    for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE):
        written(folder, name, records(1))
    written(folder, cifar10.NAMES_FILE if data[:1] == b"n" else "data_batch_3.bin", data[1:])
    read_dataset(folder)


def read_dataset(path):
    dataset = datasets.cifar10(path)
    in_lines(str(dataset))
    assert all(name.isprintable() for name in dataset.class_names)


def members():
    return [(f"cifar-10-batches-bin/{name}", records(1)) for name in (*cifar10.TRAIN_FILES, cifar10.TEST_FILE)]


def cifar_archives():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return [file.getvalue()]


def read_archive(data, folder):
    """The edits are made to what is in the archive; gzip's checksum would keep most others out."""
    read_dataset(written(folder, "cifar.tar.gz", gzip.compress(data, 1)))


def cifar_zips():
    found = []
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as archive:
            for name, data in members():
                archive.writestr(name, data)
        found.append(file.getvalue())
    return found


def read_zip(data, folder):
    read_dataset(written(folder, "cifar.zip", data))


def read_tar_or_zip(data, folder):
    (read_zip if data[:2] == b"PK" else read_archive)(data, folder)


# An image folder: names of folders and files, a line each, that hold a picture or the text itself.


def folder_names():
    return [b"cats/1.png\ncats/2.png\ncats/3.png\ndogs/1.png\ndogs/2.png\ndogs/3.jpg", b"train/a/x\ntrain/b/y\nval/a/z"]


def read_folder(data, folder):
    picture = next(images())
    for line in data.split(b"\n")[:20]:
        parts = [part for part in line.split(b"/")[:4] if part not in (b"", b".", b"..") and b"\0" not in part]
        path = Path(folder, "photos", *map(os.fsdecode, parts))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(line if line.endswith(b"x") else picture)
        except OSError:  # a name that no file can have, or a folder where a file is
            continue
    dataset = datasets.image_folder(folder / "photos", 6, 5)
    in_lines(str(dataset))
    assert all(name.isprintable() for name in (*dataset.class_names, *dataset.skipped))
    assert dataset.train_images[:].shape[1:] == (6, 5, 3)


def class_indexes():
    return [("{" + ", ".join(f'"{n}": ["n{n:08}", "name {n}"]' for n in range(1000)) + "}").encode()]


def read_classes(data, folder):
    assert len(read_class_index(written(folder, "index.json", data))) == 1000
