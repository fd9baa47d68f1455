"""Images in folders, one folder for each class, decoded when they are asked for.

25,000 photos of 150x150 take 1.7 GB as an array and 0.5 GB as JPEG files. So only their paths are kept here, and the
threads that prepare batches decode what a batch needs. What has been decoded stays in memory as far as there is room
for it: a fast network would wait for its photos in every epoch, so it waits in the first one only.
"""

import pathlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.images import check_image, image_size, is_file, is_folder, load_image
from minitorch_cnn.datasets.split import stratified_split
from minitorch_cnn.errors import ArgumentError, DataError
from minitorch_cnn.files.printable import printable

HIDDEN = (".", "__MACOSX")  # what names of folders begin with that are no classes; the second is left by unpacking
WORKERS = 4  # threads that decode; Pillow lets others run meanwhile
KEPT_BYTES = 2**30  # of decoded images, for each ImageFolder: the first ones that are asked for


class ImageFolder:
    """A sequence of images that looks like an array (N, height, width, 3) uint8 and decodes when it is indexed.

    paths          of N image files
    labels         (N,) integers, or None
    height, width  in pixels, see `load_image`
    workers        threads that decode the images of one batch
    skipped        a list to which the paths of files are added that turn out to be damaged
    kept_bytes     how much memory decoded images may stay in; 0 decodes them anew every time

    `images[indices]` gives a new array (n, height, width, 3); `images[:]` decodes everything. Where a file turns out to
    be damaged, the next image with the same label stands in for it, so a long training does not end over one file and
    the label stays true; without labels there is no such stand-in and DataError is raised.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths, labels, height, width, workers=WORKERS, skipped=None, kept_bytes=KEPT_BYTES):
        self.paths = [pathlib.Path(path) for path in paths]
        self.labels = None if labels is None else np.asarray(labels)
        if self.labels is not None and self.labels.shape != (len(self.paths),):
            raise ArgumentError(f"ImageFolder: expected {len(self.paths)} labels, got {self.labels.shape}")
        image_size(height, width)
        self.height, self.width = height, width
        self.workers = max(1, workers)
        self.skipped = [] if skipped is None else skipped
        self._damaged = set()
        self._kept = {}  # number: image
        self._room = kept_bytes // (3 * height * width)  # for so many images
        self._lock = threading.Lock()

    @property
    def shape(self):
        return (len(self.paths), self.height, self.width, 3)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, indices):
        """Decode images: `indices` is what would index the first axis of an array (integers, a slice, a mask)."""
        chosen = np.arange(len(self.paths))[indices]
        if chosen.ndim == 0:
            return self._image(int(chosen)).copy()
        images = np.empty((len(chosen), self.height, self.width, 3), np.uint8)

        def decode(i):
            images[i] = self._image(int(chosen[i]))

        missing = []
        for i, index in enumerate(chosen.tolist()):
            if index in self._kept:
                images[i] = self._kept[index]
            else:
                missing.append(i)
        if missing:
            with ThreadPoolExecutor(self.workers, thread_name_prefix="images") as pool:
                # The results are empty; going through them raises what went wrong.
                for _ in pool.map(decode, missing):
                    pass
        return images

    def sample(self, count, seed=0):
        """An ImageFolder of `count` of the images (all, where there are fewer), the same ones for the same `seed`.

        They keep their order; nothing is decoded.
        """
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
        labels = None if self.labels is None else self.labels[chosen]
        paths = [self.paths[i] for i in chosen]
        return ImageFolder(paths, labels, self.height, self.width, self.workers, self.skipped)

    def _image(self, index):
        """Image number `index`, from memory if it is there."""
        image = self._kept.get(index)
        if image is None:
            image = self._decoded(index)
            with self._lock:
                if len(self._kept) < self._room:
                    self._kept[index] = image
        return image

    def _decoded(self, index):
        """Image number `index`, or the next one with its label that can be decoded."""
        if self.labels is None:
            return load_image(self.paths[index], self.height, self.width)
        for candidate in self._alike(index):
            path = self.paths[candidate]
            if path in self._damaged:
                continue
            try:
                return load_image(path, self.height, self.width)
            except DataError:
                with self._lock:
                    if path not in self._damaged:
                        self._damaged.add(path)
                        self.skipped.append(printable(path))
        raise DataError(f"{self.paths[index]}: expected a whole image, but it and all others of its class are damaged")

    def _alike(self, index):
        """`index`, then the others with its label, beginning behind it."""
        yield index
        alike = np.flatnonzero(self.labels == self.labels[index])
        behind = np.searchsorted(alike, index) + 1
        yield from (*alike[behind:], *alike[: behind - 1])


def image_folder(folder, height, width, *, test_fraction=0.2, seed=0, workers=WORKERS):
    """A Dataset of the images in a folder, one folder for each class.

    folder         with train/<class>/... and validation/<class>/... (or val, valid, test); or with <class>/... alone,
                   of which `test_fraction` is then set aside, the same images for the same `seed`
    height, width  in pixels; every image is squashed to that size

    Classes are numbered in the alphabetical order of their folders. Files that are no images, or have more than 64
    million pixels, are left out and listed in `dataset.skipped`. Raises DataError where no such folders are there.
    """
    folder = existing_folder("image_folder", folder)
    train, test = labelled_parts("image_folder", folder)
    name = printable(folder.resolve().name)
    return lazy_dataset(name, train, test, height, width, test_fraction=test_fraction, seed=seed, workers=workers)


def existing_folder(name, folder):
    """`folder` as a Path, or DataError."""
    folder = pathlib.Path(folder).expanduser()
    if not is_folder(folder):
        found = "a file (an archive is to be unpacked first)" if is_file(folder) else "nothing there"
        raise DataError(f"{name}: {folder}: expected a folder, found {found}")
    return folder


def labelled_parts(name, folder):
    """Find the class folders for training and, if there are any, for testing.

    Returns two dictionaries from the class's name to its files' paths; the second may be None.
    """
    train, test = classes(folder), None
    if (folder / "train").is_dir():
        train = classes(folder / "train")
        tests = (classes(folder / part) for part in ("validation", "val", "valid", "test"))
        test = next((found for found in tests if found), None)
    if len(train) < 2:
        raise DataError(
            f"{name}: {folder}: expected a folder for each class, in train/ or right here, found "
            f"{', '.join(train) or 'none'}"
        )
    if test is not None and (strange := sorted(test.keys() - train.keys())):
        raise DataError(
            f"{name}: {folder}: expected the same classes for the test as for training ({', '.join(train)}), "
            f"got {', '.join(strange)}"
        )
    return train, test


def classes(folder):
    """The folders inside `folder` and the files in each, both sorted by name; hidden ones are passed over."""
    return {
        printable(inner.name): [path for path in listed(inner) if is_file(path) and not path.name.startswith(".")]
        for inner in listed(folder)
        if is_folder(inner) and not inner.name.startswith(HIDDEN)
    }


def listed(folder):
    """What is in a folder, sorted by name; nothing where it is none. DataError where it may not be looked at."""
    try:
        return sorted(folder.iterdir()) if is_folder(folder) else []
    except OSError as error:
        raise DataError(f"{folder}: expected a folder that can be read: {error.strerror}") from None


def lazy_dataset(name, train, test, height, width, *, test_fraction, seed, workers):
    """Make a Dataset of files: look at each one's header, split where there is no test part.

    train, test  dictionaries from class name to paths; `test` may be None
    """
    if not 0 < test_fraction < 1:
        raise ArgumentError(f"{name}: test_fraction: expected a number between 0 and 1, got {test_fraction!r}")
    names, skipped = tuple(train), []
    train = _checked_files(name, train, names, skipped, workers)
    if test is None:
        paths, labels = train
        parts = [([paths[i] for i in part], labels[part]) for part in stratified_split(labels, test_fraction, seed)]
    else:
        parts = [train, _checked_files(name, test, names, skipped, workers)]
    train, test = (ImageFolder(paths, labels, height, width, workers, skipped) for paths, labels in parts)
    return Dataset(name, train, train.labels, test, test.labels, names, skipped)


def _checked_files(name, files, names, skipped, workers):
    """The paths of the files that are images and their labels (N,) int64; the others go to `skipped`."""
    labelled = [(path, names.index(class_name)) for class_name, paths in files.items() for path in paths]

    def is_image(item):
        try:
            check_image(item[0])
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="images") as pool:
        good = list(pool.map(is_image, labelled))
    skipped += [printable(path) for (path, _), is_good in zip(labelled, good) if not is_good]
    labelled = [item for item, is_good in zip(labelled, good) if is_good]
    labels = np.array([label for _, label in labelled], np.int64)
    for class_name in files:
        if names.index(class_name) not in labels:
            raise DataError(f"{name}: class {class_name}: expected images, got none ({len(skipped)} files skipped)")
    return [path for path, _ in labelled], labels
