"""Batches: the images of an epoch in a new random order, prepared in background threads.

Every batch can be computed on its own: the order of an epoch depends only on (seed, epoch), the augmentation of a batch
only on (seed, epoch, batch), and no state is carried from one batch to the next. So it does not matter which thread
prepares a batch, and training that was stopped after batch 17 of epoch 3 resumes with exactly the same batch 18.
"""

import collections
import contextvars
import functools
import itertools
import operator
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array, is_array, moved, namespace
from minitorch_cnn.datasets.several import Several
from minitorch_cnn.datasets.weighted_labels import WeightedLabels
from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.printable import counted

PATIENCE = 1.0  # seconds between checks that the worker threads are alive
ORDER, AUGMENTATION, SIDES = 0, 1, 2  # the third number of a random seed: what the stream is used for


class Batches:
    """Batches of images (n, H, W, C) and labels (n, ...), epoch by epoch.

        batches = Batches(images, labels, 128, seed=0, augment=Augmentation(flip=True))
        for epoch in range(10):
            for x, y in batches.epoch(epoch):
                ...

    Arguments: `images` an array (N, H, W, C), or any object with `len()` whose `images[indices]` returns (n, H, W, C)
    for an array of n integers, such as an ImageFolder; `labels` (N, ...), `WeightedLabels` or not, or None;
    `batch_size` images in each batch but the last of an epoch, which may be smaller; `shuffle` draws a new random order
    for every epoch, otherwise the order is that of `images`; `seed` a non-negative integer that determines all random
    numbers; `augment` a function (images, rng) -> images, such as an Augmentation; `transform` a function images ->
    images that is applied last, for example a normalisation; `workers` the number of threads that prepare batches (0
    prepares each batch when it is requested; the batches are the same); `prefetch` how many batches are prepared in
    advance; `drop_last` omits the last batch of an epoch if it is smaller; `rows` a function from a batch's length to
    the slice of it that is computed here, or None for the whole batch.

    `len(batches)` is the number of batches in an epoch. Raises ArgumentError when arguments do not fit together.
    """

    def __init__(
        self, images: Any, labels: Any, batch_size: int, *, shuffle: bool = True, seed: int = 0,
        augment: Callable[[Any, np.random.Generator], Any] | None = None, transform: Callable[[Any], Any] | None = None,
        workers: int = 2, prefetch: int = 4, drop_last: bool = False, rows: Callable[[int], slice] | None = None,
    ) -> None:  # fmt: skip
        self.images = images
        ready = labels is None or isinstance(labels, (Several, WeightedLabels))
        self.labels: Any = labels if ready else np.asarray(labels)
        self.batch_size = _integer("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.seed = _integer("seed", seed, 0)
        self.augment = augment
        self.transform = transform
        self.workers = _integer("workers", workers, 0)
        self.prefetch = _integer("prefetch", prefetch, 1)
        self.drop_last = drop_last
        self.rows = rows
        if self.labels is not None and len(self.labels) != len(images):
            raise ArgumentError(f"Batches: expected a label for each of {len(images)} images, got {len(self.labels)}")
        if len(self) == 0:
            least = self.batch_size if drop_last else 1
            raise ArgumentError(f"Batches: expected at least {counted(least, 'image')}, got {len(images)}")

    def __len__(self) -> int:
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, epoch: int, start: int = 0) -> Generator[tuple[Array, np.ndarray | None], None, None]:
        """A generator of the (images, labels) of an epoch, from batch `start` on.

        Arguments: `epoch` its number, from 0; `start` the number of the first batch, from 0 to `len(self)`, which gives
        no batches. The worker threads stop when the generator is closed or exhausted, or when an exception leaves it.
        """
        epoch = _integer("epoch", epoch, 0)
        start = _integer("start", start, 0, len(self))
        order = self._order(epoch)
        numbers = range(start, len(self))
        if self.workers == 0:
            return (self._batch(order, epoch, number) for number in numbers)
        return self._ahead(order, epoch, numbers)

    def _order(self, epoch):
        if not self.shuffle:
            return np.arange(len(self.images))
        return np.random.default_rng([self.seed, epoch, ORDER]).permutation(len(self.images))

    def _batch(self, order, epoch, number):
        """Compute one batch from its number alone."""
        indices = order[number * self.batch_size : (number + 1) * self.batch_size]
        rows = slice(0, len(indices)) if self.rows is None else self.rows(len(indices))
        rng = np.random.default_rng([self.seed, epoch, AUGMENTATION, number])
        mix = getattr(self.augment, "mix", None)
        if self.augment is None:
            indices = indices[rows]
            images = self.images[self._beside_images(indices)]
        else:
            seen = rows if mix is None else slice(0, len(indices))  # an image may be mixed with any of its batch
            images, indices = self._augmented(indices, seen, rng, epoch)
        labels = None if self.labels is None else self.labels[indices]
        if mix is not None:
            images, labels = (part[rows] for part in mix(images, labels, rng))
        return images if self.transform is None else self.transform(images), labels

    def _augmented(self, indices, rows, rng, epoch):
        """`rows` of the augmented batch of images `indices`, and the indices of these rows."""
        part = getattr(self.augment, "part", None)
        if part is None:
            return self.augment(self.images[self._beside_images(indices)], rng)[rows], indices[rows]
        images, options = self.images[self._beside_images(indices[rows])], {}
        if getattr(self.augment, "alternate_flip", False):
            options = {"flips": self._sides[indices] ^ (epoch % 2 == 1)}
        return part(images, rng, rows.start, len(indices), **options), indices[rows]

    @functools.cached_property
    def _sides(self):
        """(N,) bool: whether an image is mirrored in even epochs instead of odd ones."""
        return np.random.default_rng([self.seed, 0, SIDES]).random(len(self.images)) < 0.5

    def _beside_images(self, indices):
        """`indices` as an array of the images' library, so on the GPU if the images are there."""
        return moved(indices, namespace(self.images)) if is_array(self.images) else indices

    def _ahead(self, order, epoch, numbers):
        """Yield the batches in order while threads prepare the next `prefetch` ones."""
        numbers = iter(numbers)
        pending = collections.deque()
        threads = []
        pool = ThreadPoolExecutor(
            self.workers, "batches", initializer=lambda: threads.append(threading.current_thread())
        )

        def prepare(count):
            for number in itertools.islice(numbers, count):
                run = contextvars.copy_context().run  # in the threads, too, `definitions_only` holds
                pending.append((number, pool.submit(run, self._batch, order, epoch, number)))

        try:
            prepare(self.prefetch)
            while pending:
                number, future = pending.popleft()
                try:
                    batch = _result(future, threads)  # raises the exception of the thread, if there was one
                except _WorkerDied:
                    batch = self._batch(order, epoch, number)
                prepare(1)
                yield batch
        finally:
            # Reached at the end, on close() and on any exception; batches that no thread has begun are cancelled.
            pool.shutdown(wait=False, cancel_futures=True)
            for thread in threads:
                while thread.is_alive():
                    thread.join(PATIENCE)
                    pool.shutdown(wait=False)  # again, because a killed thread may have consumed the signal to end


class _WorkerDied(Exception):
    """The thread that should have prepared a batch has died."""


def _result(future, threads):
    """The result of `future`; raises _WorkerDied if no thread is left, or if its thread was killed midway."""
    while not future.done():
        dead = threads and not any(thread.is_alive() for thread in threads)
        if dead and not future.done():  # checked in this order, since the last thread may have finished this batch
            raise _WorkerDied
        wait([future], PATIENCE)
    try:
        return future.result()
    except SystemExit:
        raise _WorkerDied from None


def _integer(name, value, least, most=None):
    expected = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(f"Batches: {name}: expected {expected}, got {value!r}") from None
    if number < least or (most is not None and number > most):
        raise ArgumentError(f"Batches: {name}: expected {expected}, got {value!r}")
    return number
