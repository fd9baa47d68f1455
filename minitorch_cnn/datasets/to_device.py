"""Copying images to a GPU: all of them once if they fit, otherwise batch by batch while the GPU computes.

A copy from ordinary memory blocks the host, but a copy from pinned memory, which the system does not move, runs in
parallel with the computation. So each batch is copied into pinned memory, sent on a separate stream, and handed out
after the previous batch. Three buffers are used in turn (one is trained on, one waits, one is filled), and none is
overwritten before its last copy has finished.
"""

from collections.abc import Generator, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minitorch_cnn.arrays import Array

RESIDENT_SHARE = 0.5  # of the free memory; the rest is left for training itself


def resident(images: Any, xp: ModuleType) -> Any:
    """The images (N, ...) as one GPU array if they take at most half of its free memory, else unchanged.

    This applies only to arrays; a folder of images is decoded batch by batch.
    """
    free, _ = xp.cuda.Device().mem_info
    if isinstance(images, np.ndarray) and images.nbytes <= RESIDENT_SHARE * free:
        return xp.asarray(images)
    return images


def sent_ahead(batches: Generator, xp: ModuleType) -> Iterator[tuple[Array, np.ndarray]]:
    """Yield (images on the GPU, labels) for each (images on the host, labels), copying one batch ahead.

    An array stays valid until the second batch after it is requested, because a NaN loss is examined only after the
    next batch has been handed out. GPU work that was started on it by then still sees the old values.
    """
    stream = xp.cuda.Stream(non_blocking=True)
    buffers = [Buffer(xp, stream) for _ in range(3)]
    waiting = None
    try:
        for number, (images, labels) in enumerate(batches):
            sent = buffers[number % len(buffers)].send(images), labels
            if waiting is not None:
                yield waiting[0].arrived(), waiting[1]
            waiting = sent
        if waiting is not None:
            yield waiting[0].arrived(), waiting[1]
    finally:
        batches.close()


class Buffer:
    """Pinned memory on the host, and memory for the same batch on the GPU."""

    def __init__(self, xp: Any, stream: Any) -> None:
        self.xp, self.stream = xp, stream
        self.pinned: Any = None
        self.images: Any = None
        self.copied: Any = None  # the event after the last copy

    def send(self, images: np.ndarray) -> "Buffer":
        """Start to copy `images` to the GPU; returns the buffer itself."""
        if self.copied is not None:
            self.copied.synchronize()  # wait until the last batch has left the pinned memory
        self._make_room(images)
        part = self.pinned[: images.size].reshape(images.shape)
        part[...] = images
        self.part = self.images[: images.size].reshape(images.shape)
        # GPU work that uses the previous batch in this buffer must finish before it is overwritten.
        self.stream.wait_event(self.xp.cuda.get_current_stream().record())
        self.part.set(part, stream=self.stream)
        self.copied = self.stream.record()
        return self

    def arrived(self) -> Array:
        """The images on the GPU; work started from now on waits for the copy, but the host does not."""
        self.xp.cuda.get_current_stream().wait_event(self.copied)
        return self.part

    def _make_room(self, images):
        if self.pinned is None or self.pinned.size < images.size or self.pinned.dtype != images.dtype:
            memory = self.xp.cuda.alloc_pinned_memory(images.nbytes)
            self.pinned = np.frombuffer(memory, images.dtype, images.size)
            self.images = self.xp.empty(images.size, dtype=images.dtype)
