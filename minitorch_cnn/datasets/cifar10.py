"""CIFAR-10: 60,000 colour photos of 32x32 pixels in ten classes, read from the official binary format.

A file is a sequence of records of 3,073 bytes: the label (0 to 9), then the red, green and blue planes of the image,
each of 32 rows of 32 bytes. Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html. The Python version of the data set is not supported, because it consists of
pickles, which can run code when they are opened.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.images import is_file, is_folder
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.archive import unpack
from minitorch_cnn.files.download import cache_folder, fetch
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import leads_outside, read_small

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"
NAMES_FILE = "batches.meta.txt"
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

SIZE, CHANNELS = 32, 3
RECORD = 1 + CHANNELS * SIZE * SIZE  # bytes
RECORDS = 10_000  # in every file of the official data set
LARGEST = RECORD * RECORDS  # the most bytes of a file
LARGEST_NAMES = 10_000  # the most bytes of the list of names; the official one has 61
TOTAL = 256 << 20  # the most bytes of all files; the official archive unpacks to 176 MiB
MOST_FILES = 1000  # in an archive; the official one has 8


def cifar10(
    folder: str | Path | None = None, download: bool = True, cache: str | Path | None = None, progress: bool = True,
    urls: str | list[str] | None = None,
) -> Dataset:  # fmt: skip
    """CIFAR-10 as a Dataset: 50,000 images (N, 32, 32, 3) for training and 10,000 for testing.

    Arguments: `folder` the folder with the .bin files, the one that contains `cifar-10-batches-bin`, or the downloaded
    .tar.gz, or None for the cache, with a download if it is empty (162 MiB); `download` False never uses the network;
    `cache` the folder for downloads, by default $MINITORCH_CNN_CACHE or the system's cache folder; `progress` shows a
    bar while downloading; `urls` one or several other addresses of the official archive, by default
    $MINITORCH_CNN_CIFAR10_URL (separated by spaces) or the authors' address.

    Raises DataError when the data is missing, incomplete or damaged.
    """
    if folder is None:
        return _read(_cached(cache, download, progress, urls))
    folder = Path(os.path.expanduser(folder))
    if is_file(folder):
        with tempfile.TemporaryDirectory(prefix="cifar10-") as temporary:
            _unpack(folder, Path(temporary, FOLDER))
            return _read(Path(temporary, FOLDER))
    if not is_folder(folder):
        raise DataError(f"cifar10: {printable(folder)[:300]}: expected a folder or a .tar.gz file, found nothing there")
    inner = folder / FOLDER
    return _read(inner if inner.is_dir() and not leads_outside(inner, folder) else folder)


def _cached(cache, download, progress, urls):
    """The folder with the .bin files in the cache; downloads and unpacks it if it is incomplete."""
    cache = cache_folder(cache)
    folder = cache / FOLDER
    if all(_size(folder / name) == LARGEST for name in (*TRAIN_FILES, TEST_FILE)):
        return folder
    advice = f"download {URL} yourself and pass it with --data {ARCHIVE}"
    if not download and not (cache / ARCHIVE).is_file():
        raise DataError(f"cifar10: not in {cache} and downloading was switched off; {advice}")
    urls = urls or os.environ.get("MINITORCH_CNN_CIFAR10_URL", "").split() or URL
    _unpack(fetch(urls, CHECKSUM, cache, ARCHIVE, progress, advice=advice), folder)
    return folder


def _size(path):
    return path.stat().st_size if path.is_file() else None


def _unpack(archive, folder):
    """Unpack the files of the binary version into `folder`."""
    known = {*TRAIN_FILES, TEST_FILE, NAMES_FILE}

    def wanted(name):
        base = name.rpartition("/")[2]
        return base if base in known else None

    unpacked = unpack(archive, wanted, folder, largest=LARGEST, total=TOTAL, most=MOST_FILES)
    names = [name.rpartition("/")[2] for name in unpacked]
    _check_names(archive, names)


def _check_names(place, names):
    """Raise the most helpful DataError if files of the binary version are missing."""
    missing = [name for name in (*TRAIN_FILES, TEST_FILE) if name not in names]
    if not missing:
        return
    if "data_batch_1" in names:
        raise DataError(f"cifar10: {place}: this is the Python version (pickles); get the binary version, {URL}")
    if any(name.endswith(".mat") for name in names):
        raise DataError(f"cifar10: {place}: this is the Matlab version; get the binary version, {URL}")
    found = ", ".join(printable(name)[:60] for name in sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
    raise DataError(
        f"cifar10: {place}: expected {TRAIN_FILES[0]} to {TRAIN_FILES[-1][-5:]} and {TEST_FILE}, "
        f"missing: {', '.join(missing)}; found: {found or 'nothing'}"
    )


def _read(folder):
    """Read a folder of .bin files."""
    if not folder.is_dir():
        raise DataError(f"cifar10: {folder}: expected a folder with the .bin files")
    _check_names(folder, [path.name for path in folder.iterdir()])
    batches = {name: _records(folder / name) for name in (*TRAIN_FILES, TEST_FILE)}
    # A file cut off between two records looks complete by itself, so its length is compared with the others'.
    if any(len(records) == RECORDS for records in batches.values()):
        for name, records in batches.items():
            if len(records) != RECORDS:
                raise DataError(f"cifar10: {folder / name}: expected {RECORDS} images, got {len(records)}")
    train_images, train_labels = _images_and_labels([batches[name] for name in TRAIN_FILES])
    test_images, test_labels = _images_and_labels([batches[TEST_FILE]])
    return Dataset("cifar10", train_images, train_labels, test_images, test_labels, _class_names(folder))


def _inside(path):
    """`path`; raises DataError if it is a link that leads out of its folder, whose files could then be any."""
    if leads_outside(path, path.parent):
        raise DataError(f"cifar10: {path}: expected a file, found a link that leads out of the folder")
    return path


def _records(path):
    """The records of a file, (n, 3073) uint8."""
    size = _inside(path).stat().st_size
    if size == 0 or size % RECORD:
        raise DataError(f"cifar10: {path}: expected a whole number of records of {RECORD} bytes, got {size} bytes")
    if size > LARGEST:
        raise DataError(f"cifar10: {path}: expected at most {LARGEST} bytes, got {size}")
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    if (worst := records[:, 0].max()) >= len(CLASS_NAMES):
        image = int(records[:, 0].argmax())
        raise DataError(f"cifar10: {path}: image {image}: expected a label from 0 to 9, got {worst}")
    return records


def _images_and_labels(batches):
    """Concatenate batches of records into images (N, 32, 32, 3) uint8 and labels (N,) int64."""
    images = np.empty((sum(map(len, batches)), SIZE, SIZE, CHANNELS), np.uint8)
    begin = 0
    for records in batches:
        planes = records[:, 1:].reshape(-1, CHANNELS, SIZE, SIZE)
        for c in range(CHANNELS):  # one plane at a time is faster than one transpose of everything
            images[begin : begin + len(records), :, :, c] = planes[:, c]
        begin += len(records)
    return images, np.concatenate([records[:, 0] for records in batches]).astype(np.int64)


def _class_names(folder):
    """The ten names in batches.meta.txt, or the known names if there is no such file."""
    path = _inside(folder / NAMES_FILE)
    if not path.is_file():
        return CLASS_NAMES
    try:
        words = read_small(path, LARGEST_NAMES).decode("utf-8", "replace").split()
    except OSError as error:
        raise DataError(f"cifar10: {path}: cannot be read ({error.strerror})") from None
    names = tuple(map(printable, words))
    if len(names) != len(CLASS_NAMES):
        raise DataError(f"cifar10: {path}: expected {len(CLASS_NAMES)} class names, got {len(names)}")
    return names
