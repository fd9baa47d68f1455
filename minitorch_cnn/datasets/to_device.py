"""Images on their way to a GPU: the whole set once where it fits, else batch by batch while the GPU works.

A copy from ordinary memory makes the host wait; one from pinned memory, which the system does not move, runs beside
the computing. So a batch is copied into pinned memory, sent on a stream of its own, and handed out when the one before
it is being trained on. Three places are used in turn (one is trained on, one waits, one is filled), and none is written
again before its last copy is through.
"""

import numpy as np

RESIDENT_SHARE = 0.5  # of the free memory: more of it is left for the training itself


def resident(images, xp):
    """The images (N, ...) on the GPU as one array where they take no more than half its free memory; else themselves.

    Only arrays go as a whole; a folder of images is decoded batch by batch.
    """
    free, _ = xp.cuda.Device().mem_info
    if isinstance(images, np.ndarray) and images.nbytes <= RESIDENT_SHARE * free:
        return xp.asarray(images)
    return images


def sent_ahead(batches, xp):
    """(images on the GPU, labels) for each (images on the host, labels), one batch ahead.

    An array that was handed out is valid until the second one after it is asked for: a loss that turns out not to be a
    number is looked into when the next one is at hand. What was begun with it by then is valid still.
    """
    stream = xp.cuda.Stream(non_blocking=True)
    places = [Place(xp, stream) for _ in range(3)]
    waiting = None
    try:
        for number, (images, labels) in enumerate(batches):
            sent = places[number % len(places)].send(images), labels
            if waiting is not None:
                yield waiting[0].arrived(), waiting[1]
            waiting = sent
        if waiting is not None:
            yield waiting[0].arrived(), waiting[1]
    finally:
        batches.close()


class Place:
    """Pinned memory on the host, and room for the same batch on the GPU."""

    def __init__(self, xp, stream):
        self.xp, self.stream = xp, stream
        self.pinned = self.images = self.copied = None

    def send(self, images):
        """Begin to copy `images`; returns the place."""
        if self.copied is not None:
            self.copied.synchronize()  # its last batch has left the pinned memory
        self._make_room(images)
        part = self.pinned[: images.size].reshape(images.shape)
        part[...] = images
        self.part = self.images[: images.size].reshape(images.shape)
        # What was begun with the last batch that lay here must be done with it.
        self.stream.wait_event(self.xp.cuda.get_current_stream().record())
        self.part.set(part, stream=self.stream)
        self.copied = self.stream.record()
        return self

    def arrived(self):
        """The images on the GPU; what is begun from here on waits for them, the host does not."""
        self.xp.cuda.get_current_stream().wait_event(self.copied)
        return self.part

    def _make_room(self, images):
        if self.pinned is None or self.pinned.size < images.size or self.pinned.dtype != images.dtype:
            memory = self.xp.cuda.alloc_pinned_memory(images.nbytes)
            self.pinned = np.frombuffer(memory, images.dtype, images.size)
            self.images = self.xp.empty(images.size, dtype=images.dtype)
