"""Batches: the images of an epoch in a fresh order, prepared ahead of time in the background.

Every batch can be made on its own. The order of an epoch comes from (seed, epoch), the augmentation of a batch from
(seed, epoch, batch), and nothing is remembered from one batch to the next. So it does not matter which thread makes a
batch, and a training that stopped after batch 17 of epoch 3 goes on with exactly the batch 18 it would have seen.
"""

import collections
import itertools
import operator
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from minitorch_cnn.arrays import is_array, moved, namespace
from minitorch_cnn.errors import ArgumentError

PATIENCE = 1.0  # seconds after which the workers are counted
ORDER, AUGMENTATION = 0, 1  # the third number of a random stream: what it is for


class Batches:
    """Batches of images and labels, epoch by epoch.

    images      (N, H, W, C), or any object with `len()` and `images[indices]` that returns (n, H, W, C) for an array
                of n integers, such as an ImageFolder
    labels      (N, ...) array, or None where there are none to give
    batch_size  images in a batch; the last one of an epoch holds what is left
    shuffle     a fresh random order for every epoch; otherwise the order of `images`
    seed        a non-negative integer from which all randomness follows
    augment     a function (images, rng) -> images, such as an Augmentation
    transform   a function images -> images, done last: to float32, normalised, whatever the network wants
    workers     threads that prepare batches; 0 prepares each when it is asked for. The batches are the same
    prefetch    how many batches are prepared ahead
    drop_last   leave out the last batch of an epoch where it would be smaller
    rows        a function from a batch's length to the slice of it that is wanted here; None: all of it

        batches = Batches(images, labels, 128, seed=0, augment=Augmentation(flip=True))
        for epoch in range(10):
            for x, y in batches.epoch(epoch):
                ...

    `len(batches)` is the number of batches in an epoch. Raises ArgumentError for arguments that do not fit.
    """

    def __init__(
        self, images, labels, batch_size, *, shuffle=True, seed=0, augment=None, transform=None, workers=2, prefetch=4,
        drop_last=False, rows=None,
    ):  # fmt: skip
        self.images = images
        self.labels = None if labels is None else np.asarray(labels)
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
            raise ArgumentError(f"Batches: expected at least {least} images, got {len(images)}")

    def __len__(self):
        full, rest = divmod(len(self.images), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, epoch, start=0):
        """Go through an epoch from batch `start` on.

        epoch  which one, from 0
        start  the number of the first batch to give, from 0; `len(self)` gives none

        Returns a generator of (images, labels). Closing it, leaving its loop or an exception stops the threads.
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
        """Make one batch, from nothing but its number."""
        indices = order[number * self.batch_size : (number + 1) * self.batch_size]
        rows = slice(0, len(indices)) if self.rows is None else self.rows(len(indices))
        if self.augment is None:
            indices = indices[rows]
            images = self.images[self._there(indices)]
        else:
            rng = np.random.default_rng([self.seed, epoch, AUGMENTATION, number])
            images, indices = self._augmented(indices, rows, rng)
        if self.transform is not None:
            images = self.transform(images)
        return images, None if self.labels is None else self.labels[indices]

    def _augmented(self, indices, rows, rng):
        """Images `rows` of the batch `indices` as they are in the augmented batch; and their indices."""
        part = getattr(self.augment, "part", None)
        if part is None:
            return self.augment(self.images[self._there(indices)], rng)[rows], indices[rows]
        return part(self.images[self._there(indices[rows])], rng, rows.start, len(indices)), indices[rows]

    def _there(self, indices):
        """The indices where the images are: on the host, or beside those that lie on a GPU."""
        return moved(indices, namespace(self.images)) if is_array(self.images) else indices

    def _ahead(self, order, epoch, numbers):
        """Give the batches in order while threads prepare the next `prefetch` ones."""
        numbers = iter(numbers)
        pending = collections.deque()
        threads = []
        pool = ThreadPoolExecutor(
            self.workers, "batches", initializer=lambda: threads.append(threading.current_thread())
        )

        def prepare(count):
            for number in itertools.islice(numbers, count):
                pending.append((number, pool.submit(self._batch, order, epoch, number)))

        try:
            prepare(self.prefetch)
            while pending:
                number, future = pending.popleft()
                try:
                    batch = _result(future, threads)  # what went wrong in the thread is raised here
                except _WorkerDied:
                    batch = self._batch(order, epoch, number)
                prepare(1)
                yield batch
        finally:
            # Reached at the end, on close() and on any exception; batches that nobody began are dropped.
            pool.shutdown(wait=False, cancel_futures=True)
            for thread in threads:
                while thread.is_alive():
                    thread.join(PATIENCE)
                    pool.shutdown(wait=False)  # once more: one that was killed may have swallowed the word to end


class _WorkerDied(Exception):
    """The thread that was to make a batch is no more."""


def _result(future, threads):
    """What the future holds; _WorkerDied where nobody is left to fill it, or who did was ended in the middle."""
    while not future.done():
        dead = threads and not any(thread.is_alive() for thread in threads)
        if dead and not future.done():  # looked at in this order: the last thing it did may have been this batch
            raise _WorkerDied
        wait([future], PATIENCE)
    try:
        return future.result()
    except SystemExit:
        raise _WorkerDied from None


def _integer(name, value, least, most=None):
    expected = f"an integer from {least} up" if most is None else f"an integer from {least} to {most}"
    try:
        number = operator.index(value)
    except TypeError:
        raise ArgumentError(f"Batches: {name}: expected {expected}, got {value!r}") from None
    if number < least or (most is not None and number > most):
        raise ArgumentError(f"Batches: {name}: expected {expected}, got {value!r}")
    return number
