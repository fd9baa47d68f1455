"""Cats vs Dogs: 25,000 photos from a Kaggle competition of 2013, taken from Petfinder and Microsoft's Asirra project.

Source: J. Elson, J. Douceur, J. Howell, J. Saul, "Asirra: a CAPTCHA that exploits interest-aligned manual image
categorization", 2007; https://www.microsoft.com/en-us/download/details.aspx?id=54765. Some files in the archive are not
images; they are skipped and counted.
"""

import os
import re
from pathlib import Path

from minitorch_cnn.datasets.class_folders import (
    HIDDEN,
    classes,
    existing_folder,
    followed,
    labelled_parts,
    training_part,
)
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.image_folder import WORKERS, lazy_dataset
from minitorch_cnn.datasets.images import is_file, is_folder
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.archive import unpack
from minitorch_cnn.files.download import cache_folder, fetch
from minitorch_cnn.files.regular import leads_outside

URL = "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip"
CHECKSUM = "sha256:b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9"
ARCHIVE = "kagglecatsanddogs_5340.zip"
FOLDER = "PetImages"
LARGEST, TOTAL = 16 << 20, 2 << 30  # the most bytes of one file and of all files
MOST_FILES = 30_000  # in the archive, which has 25,002

CLASS_NAMES = ("cat", "dog")  # class 1 is the dog, so the network's one output is the probability of a dog
IN_ARCHIVE = re.compile(r"PetImages/(Cat|Dog)/(\d+\.jpg)")
FLAT = re.compile(r"(cat|dog)\.\d+\.jpe?g", re.IGNORECASE)


def cats_vs_dogs(
    folder: str | Path | None = None, height: int = 150, width: int = 150, *, download: bool = True,
    cache: str | Path | None = None, progress: bool = True, urls: str | list[str] | None = None,
    test_fraction: float = 0.2, seed: int = 0, workers: int = WORKERS,
) -> Dataset:  # fmt: skip
    """Cats vs Dogs as a Dataset of images (N, height, width, 3), decoded on demand; label 0 is a cat, 1 a dog.

    Arguments: `folder` with train/cats, train/dogs, validation/cats and validation/dogs; or with PetImages/Cat and
    PetImages/Dog, as in Microsoft's archive; or with files cat.0.jpg, dog.0.jpg ... directly inside or in train/, as in
    the competition's archive; or None for the cache, with a download if it is empty (787 MiB); `height` and `width` in
    pixels, to which every image is resized regardless of its proportions; `test_fraction` the share of the images that
    is set aside, chosen by `seed`, if the folder has no validation part; `download`, `cache` and `progress` as for
    `cifar10`; `urls` one or several other addresses of Microsoft's archive; `workers` threads decode the images of a
    batch.

    Files that are not images, and links that lead out of the folder, are listed in `dataset.skipped`. Raises DataError
    when the data is missing.
    """
    if folder is None:
        folder = _cached(cache, download, progress, urls)
    folder = existing_folder("cats_vs_dogs", folder)
    skipped: list[str] = []
    if is_folder(folder / FOLDER) and not leads_outside(folder / FOLDER, folder):
        folder = folder / FOLDER
    train = _flat_files(training_part(folder) or folder, folder, skipped) or _flat_files(folder, folder, skipped)
    test = None
    if not train:
        train, test = (_cats_and_dogs(folder, part) for part in labelled_parts("cats_vs_dogs", folder, skipped))
    return lazy_dataset(
        "cats_vs_dogs", train, test, height, width, skipped=skipped, test_fraction=test_fraction, seed=seed,
        workers=workers,
    )  # fmt: skip


def is_cats_vs_dogs(folder: str | Path) -> bool:
    """Whether a folder has one of the layouts that `cats_vs_dogs` reads; False if it is none, or has other classes."""
    folder = Path(os.path.expanduser(folder))
    if not is_folder(folder):
        return False
    place = training_part(folder) or folder
    if is_folder(folder / FOLDER) or any(_flat_files(part, folder, []) for part in (place, folder)):
        return True
    names = {path.name.lower().rstrip("s") for path in followed(place, folder, []) if is_folder(path)}
    return {name for name in names if not name.startswith(HIDDEN)} == set(CLASS_NAMES)


def _cached(cache, download, progress, urls):
    """The folder PetImages in the cache; downloads and unpacks it if it is missing."""
    cache = cache_folder(cache)
    folder = cache / FOLDER
    if classes(folder, folder, []):  # the folder gets this name only when it is complete
        return folder
    advice = f"download {URL} yourself, unpack it and pass the folder with --data {FOLDER}"
    if not download and not (cache / ARCHIVE).is_file():
        raise DataError(f"cats_vs_dogs: not in {cache} and downloading was switched off; {advice}")

    def wanted(name):
        match = IN_ARCHIVE.fullmatch(name)
        return match and f"{match[1]}/{match[2]}"

    unpack(fetch(urls or URL, CHECKSUM, cache, ARCHIVE, progress, advice=advice), wanted, folder, largest=LARGEST,
           total=TOTAL, most=MOST_FILES)  # fmt: skip
    return folder


def _flat_files(folder, root, skipped):
    """The files cat.0.jpg, dog.0.jpg ... by class; empty unless both classes are there."""
    found, links = {}, []
    for path in [] if leads_outside(folder, root) else followed(folder, root, links):
        if (match := FLAT.fullmatch(path.name)) and is_file(path):
            found.setdefault(match[1].lower(), []).append(path)
    if len(found) < 2:
        return {}
    skipped += links
    return {name: found[name] for name in CLASS_NAMES}


def _cats_and_dogs(folder, part):
    """Rename class folders to the names of our classes: Cat, cats and CATS all become "cat"."""
    if part is None:
        return None
    renamed = {name.lower().rstrip("s"): paths for name, paths in part.items()}
    if not set(renamed) <= set(CLASS_NAMES) or len(renamed) != len(part):
        raise DataError(f"cats_vs_dogs: {folder}: expected the classes cat and dog, found {', '.join(part)}")
    return {name: renamed[name] for name in CLASS_NAMES if name in renamed}
