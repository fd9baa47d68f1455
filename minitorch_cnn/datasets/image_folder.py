"""Images in folders, one folder for each class, decoded on demand.

25,000 photos of 150x150 pixels take 1.7 GB as an array and 0.5 GB as JPEG files. So only their paths are stored here,
and the threads that prepare batches decode the images they need. Decoded images stay in memory up to a limit, because
otherwise a fast network would wait for the decoder in every epoch instead of only in the first.
"""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.datasets.class_folders import existing_folder, labelled_parts
from minitorch_cnn.datasets.dataset import Dataset
from minitorch_cnn.datasets.images import channels_of, check_image, image_size, load_image
from minitorch_cnn.datasets.split import stratified_split
from minitorch_cnn.errors import ArgumentError, DataError
from minitorch_cnn.files.printable import counted, printable

WORKERS = 4  # threads that decode; Pillow releases the interpreter lock meanwhile
KEPT_BYTES = 2**30  # of decoded images that each ImageFolder keeps: the first ones that are requested


class ImageFolder:
    """A sequence of images that looks like an array (N, height, width, C) uint8 and decodes them when it is indexed.

    Arguments: `paths` of N image files; `labels` (N,) integers, or None; `height` and `width` in pixels, see
    `load_image`; `workers` threads decode the images of a batch; `skipped` a list to which the paths of damaged files
    are appended; `kept_bytes` the most memory that decoded images may occupy (0: every access decodes again);
    `color_mode` "rgb" (C is 3) or "grayscale" (C is 1).

    `images[indices]` returns a new array (n, height, width, C); `images[:]` decodes everything. If a file turns out to
    be damaged, the next image with the same label replaces it, so that one bad file does not end a long training and
    the label remains correct. Without labels there is no replacement, and DataError is raised.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self, paths: Iterable[str | Path], labels: Any, height: int, width: int, workers: int = WORKERS,
        skipped: list[str] | None = None, kept_bytes: int = KEPT_BYTES, color_mode: str = "rgb",
    ) -> None:  # fmt: skip
        self.paths = [Path(path) for path in paths]
        self.labels: Any = None if labels is None else np.asarray(labels)
        if self.labels is not None and self.labels.shape != (len(self.paths),):
            raise ArgumentError(f"ImageFolder: expected {counted(len(self.paths), 'label')}, got {self.labels.shape}")
        image_size(height, width)
        self.height, self.width = height, width
        self.color_mode, self.channels = color_mode, channels_of(color_mode)
        self.workers = max(1, workers)
        self.skipped = [] if skipped is None else skipped
        self.checked: set[int] = set()  # the numbers of the files that were decoded, or found to be damaged
        self._damaged: set[Path] = set()
        self._kept: dict[int, np.ndarray] = {}  # index: decoded image
        self._room = kept_bytes // (self.channels * height * width)  # the most images that are kept
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape (N, height, width, C) of the whole sequence."""
        return (len(self.paths), self.height, self.width, self.channels)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Any) -> np.ndarray:
        """Decoded images; `indices` (integers, a slice, a mask) as for the first axis of an array."""
        chosen = np.arange(len(self.paths))[indices]
        if chosen.ndim == 0:
            return self._image(int(chosen)).copy()
        images = np.empty((len(chosen), *self.shape[1:]), np.uint8)

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
                # The results are empty; iterating over them raises any exception of the threads.
                for _ in pool.map(decode, missing):
                    pass
        return images

    def sample(self, count: int, seed: int = 0) -> "ImageFolder":
        """An ImageFolder of `count` of the images (all if there are fewer), drawn at random from `seed`.

        The images keep their order, and none is decoded.
        """
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
        labels = None if self.labels is None else self.labels[chosen]
        paths = [self.paths[i] for i in chosen]
        size = self.height, self.width
        return ImageFolder(paths, labels, *size, self.workers, self.skipped, color_mode=self.color_mode)

    def check(self, indices: Iterable[int]) -> None:
        """Decode these images, so that all damaged files among them are in `skipped`; they stay in memory if they fit.

        Raises DataError if all images of a class are damaged.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="images") as pool:
            for _ in pool.map(self._image, indices):
                pass

    def whole(self) -> "ImageFolder":
        """An ImageFolder of those images that are not damaged: all are decoded now, and stay in memory if they fit.

        Raises DataError if all are damaged.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="images") as pool:
            good = np.flatnonzero(list(pool.map(self._is_whole, range(len(self)))))
        if len(good) == len(self):
            return self
        if not len(good):
            raise DataError(f"{self.paths[0]}: expected a whole image, but it and all others for testing are damaged")
        labels = None if self.labels is None else self.labels[good]
        paths = [self.paths[i] for i in good]
        size = self.height, self.width
        images = ImageFolder(paths, labels, *size, self.workers, self.skipped, color_mode=self.color_mode)
        images._kept = {place: self._kept[i] for place, i in enumerate(good.tolist()) if i in self._kept}
        images._room = self._room
        return images

    def _image(self, index):
        """Image `index`, from memory if it has been kept."""
        image = self._kept.get(index)
        return self._keep(index, self._decoded(index)) if image is None else image

    def _keep(self, index, image):
        """Keep the image in memory, if there is room; returns it."""
        with self._lock:
            if len(self._kept) < self._room:
                self._kept[index] = image
        return image

    def _is_whole(self, index):
        """Whether image `index` can be decoded; if so, it is kept."""
        image = self._attempt(index)
        return image is not None and self._keep(index, image) is not None

    def _decoded(self, index):
        """Image `index`, or the next image with the same label that can be decoded."""
        if self.labels is None:
            return load_image(self.paths[index], self.height, self.width, self.color_mode)
        for candidate in self._same_label(index):
            image = self._attempt(candidate)
            if image is not None:
                return image
        raise DataError(f"{self.paths[index]}: expected a whole image, but it and all others of its class are damaged")

    def _attempt(self, index):
        """Image `index`, or None if it is damaged, which is then in `skipped`."""
        path = self.paths[index]
        if path in self._damaged:
            return None
        self.checked.add(int(index))
        try:
            return load_image(path, self.height, self.width, self.color_mode)
        except DataError:
            with self._lock:
                if path not in self._damaged:
                    self._damaged.add(path)
                    self.skipped.append(printable(path))
            return None

    def _same_label(self, index):
        """Yield `index`, then the other indices with its label: first those after it, then those before it."""
        yield index
        same = np.flatnonzero(self.labels == self.labels[index])
        after = np.searchsorted(same, index) + 1
        yield from (*same[after:], *same[: after - 1])


def image_folder(
    folder: str | Path, height: int, width: int, *, test_fraction: float = 0.2, seed: int = 0, workers: int = WORKERS,
    color_mode: str = "rgb",
) -> Dataset:  # fmt: skip
    """A Dataset of the images (N, height, width, C) in a folder that has one subfolder for each class.

    Arguments: `folder` with train/<class>/... and validation/<class>/... (or training; val, valid, test, testing; in
    capitals or not), or with <class>/... alone, from which the share `test_fraction` is then set aside for testing,
    chosen by `seed`, at least one image of each class; `height` and `width` in pixels, to which every image is resized
    regardless of its proportions; `workers` threads decode the images of a batch; `color_mode` "rgb" (C is 3) or
    "grayscale" (C is 1), as in Keras.

    Classes are numbered in the order of their folders' names, capital letters first as in ASCII, and folders inside
    these are searched too. Files that are not images, or that `load_image` refuses as too large, are skipped and listed
    in `dataset.skipped`. So are damaged images: those for testing now, those to train on when they are read, where
    others of their class stand in for them. So are folders beside train, and links to a file or folder outside
    `folder`, because such a folder could show any of your images to others; `folder` itself may be a link, and links
    inside it are followed, but not those to a folder inside a class. Raises DataError when there are no such folders,
    when a class has no images, or when it has one only and part of them has to be set aside.
    """
    folder = existing_folder("image_folder", folder)
    skipped: list[str] = []
    train, test = labelled_parts("image_folder", folder, skipped)
    name = printable(folder.resolve().name)
    return lazy_dataset(
        name, train, test, height, width, skipped=skipped, test_fraction=test_fraction, seed=seed, workers=workers,
        color_mode=color_mode,
    )  # fmt: skip


def lazy_dataset(
    name: str, train: dict[str, list[Path]], test: dict[str, list[Path]] | None, height: int, width: int, *,
    skipped: list[str], test_fraction: float, seed: int, workers: int, color_mode: str = "rgb",
) -> Dataset:  # fmt: skip
    """A Dataset of image files. Those to train on are decoded on demand, and now only their headers are checked.

    Those for testing are decoded now and left out if they are damaged, so that each counts once in an accuracy.

    Arguments: `train` and `test` {class name: paths}; if `test` is None, `train` is split; `skipped` what was left
    out so far, to which further files are appended; the others as for `image_folder`. Raises DataError when a class
    has no images, or none that is whole for testing.
    """
    if not 0 < test_fraction < 1:
        raise ArgumentError(f"{name}: test_fraction: expected a number between 0 and 1, got {test_fraction!r}")
    names = tuple(train)
    checked = _checked_files(name, train, names, skipped, height, width, workers)
    if test is None:
        paths, labels = checked
        _require_two(name, names, labels)
        parts = [([paths[i] for i in part], labels[part]) for part in stratified_split(labels, test_fraction, seed)]
    else:
        parts = [checked, _checked_files(name, test, names, skipped, height, width, workers)]
    training, testing = (
        ImageFolder(paths, labels, height, width, workers, skipped, color_mode=color_mode) for paths, labels in parts
    )
    testing = testing.whole()
    return Dataset(name, training, training.labels, testing, testing.labels, names, skipped)


def _checked_files(name, files, names, skipped, height, width, workers):
    """The paths of the files that are images and their labels (N,) int64; appends the others to `skipped`."""
    numbers = {name: number for number, name in enumerate(names)}
    labelled = [(path, numbers[class_name]) for class_name, paths in files.items() for path in paths]

    def is_image(item):
        try:
            check_image(item[0], height, width)
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="images") as pool:
        good = list(pool.map(is_image, labelled))
    skipped += [printable(path) for (path, _), is_good in zip(labelled, good) if not is_good]
    labelled = [item for item, is_good in zip(labelled, good) if is_good]
    labels = np.array([label for _, label in labelled], np.int64)
    images = np.bincount(labels, minlength=len(names))
    for class_name in files:
        if images[numbers[class_name]] == 0:
            raise DataError(
                f"{name}: class {class_name}: expected images, got none ({counted(len(skipped), 'file')} skipped)"
            )
    return [path for path, _ in labelled], labels


def _require_two(name, names, labels):
    """DataError if a class has one image, which cannot be both for training and for testing."""
    alone = [names[number] for number in np.flatnonzero(np.bincount(labels, minlength=len(names)) == 1)]
    if alone:
        others = f"; the same in {len(alone) - 1} more" if len(alone) > 1 else ""
        raise DataError(
            f"{name}: class {alone[0]}: expected at least 2 images, to train on one and test on another, got 1{others}"
        )
