"""Where a dataset's numbers are stored: in the header (compact), in one block (contiguous), or in pieces (chunked).

Each class has two methods. `check` raises WeightsError unless the file really holds an array of the declared shape, and
reads no numbers; `fill` reads the numbers into an array.
"""

from __future__ import annotations

from math import prod

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5 import chunks
from minitorch_cnn.keras_h5.hdf5.object_header import Message
from minitorch_cnn.keras_h5.hdf5.window import UNDEFINED, Window, damaged

COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = 0, 1, 2, 3


class Compact:
    """A few numbers, stored in the object header itself."""

    def __init__(self, data: bytes):
        self.data = data

    def check(self, shape: tuple[int, ...], item_size: int) -> None:
        """Raise WeightsError unless the header holds exactly these numbers, of `item_size` bytes each."""
        _same_size(len(self.data), shape, item_size)

    def fill(self, array: np.ndarray) -> None:
        """Copy the numbers into `array`."""
        array[...] = np.frombuffer(self.data, array.dtype).reshape(array.shape)


class Contiguous:
    """One block of bytes, which is read straight into the array, so that no second copy is ever in memory."""

    def __init__(self, window: Window, address: int, size: int):
        self.window, self.address, self.size = window, address, size

    def check(self, shape: tuple[int, ...], item_size: int) -> None:
        """Raise WeightsError unless the block has the right size and lies inside the file."""
        if prod(shape) == 0:
            return
        if self.address == UNDEFINED:
            raise WeightsError("it was declared but never written")
        _same_size(self.size, shape, item_size)
        self.window.require(self.address, self.size, "an array")

    def fill(self, array: np.ndarray) -> None:
        """Read the numbers into `array`, which is contiguous."""
        if array.size:
            self.window.read_into(array.reshape(-1).data.cast("B"), self.address, "an array")


class Chunked:
    """Chunks of equal size, possibly compressed; the last ones may extend beyond the array's edge."""

    def __init__(self, window: Window, address: int, chunk_shape: tuple[int, ...], filters: tuple[chunks.Filter, ...]):
        self.window, self.address, self.chunk_shape, self.filters = window, address, chunk_shape, filters
        self.chunks: list[chunks.Chunk] | None = None

    def check(self, shape: tuple[int, ...], item_size: int) -> None:
        """Raise WeightsError unless every chunk of the array is in the file exactly once."""
        if self.chunks is not None:
            return
        if len(self.chunk_shape) != len(shape) or not all(0 < a <= b for a, b in zip(self.chunk_shape, shape)):
            raise WeightsError(f"chunks of shape {self.chunk_shape} do not divide an array of shape {shape}")
        self.chunks = chunks.list_chunks(self.window, self.address, shape, self.chunk_shape)

    def fill(self, array: np.ndarray) -> None:
        """Read and decompress the chunks into `array`; `check` comes first."""
        assert self.chunks is not None
        size = prod(self.chunk_shape) * array.itemsize
        for chunk in self.chunks:
            data = chunks.read_chunk(self.window, chunk, self.filters, size, array.itemsize)
            piece = np.frombuffer(data, array.dtype).reshape(self.chunk_shape)
            place = array[tuple(slice(begin, begin + step) for begin, step in zip(chunk.start, self.chunk_shape))]
            place[...] = piece[tuple(slice(0, length) for length in place.shape)]


def parse_storage(window: Window, layout: Message, filters: Message | None) -> Compact | Contiguous | Chunked:
    """Parse a layout message; raises WeightsError for storage in other files or of an unsupported version."""
    cursor = layout.cursor("a dataset's layout")
    version, kind = cursor.number(1), cursor.number(1)
    if kind == VIRTUAL:
        raise WeightsError("it is a virtual dataset: its numbers are in other files, which are not opened")
    if version not in (3, 4) or kind > VIRTUAL:
        raise WeightsError(f"HDF5 data layout version {version}, class {kind} is not supported")
    if kind == COMPACT:
        return Compact(cursor.take(cursor.number(2)))
    if kind == CONTIGUOUS:
        return Contiguous(window, cursor.number(8), cursor.number(8))
    if version == 4:
        raise WeightsError("chunks in the layout of HDF5 1.10 are not supported: run h5repack -l CONTI in out")
    axes, address = cursor.number(1), cursor.number(8)
    *chunk_shape, _ = (cursor.number(4) for _ in range(max(1, axes)))  # the last entry is the size of one number
    steps = chunks.parse_filters(filters.cursor("a dataset's filters")) if filters is not None else ()
    return Chunked(window, address, tuple(chunk_shape), steps)


def _same_size(stored: int, shape: tuple[int, ...], item_size: int) -> None:
    """Raise WeightsError unless the sizes agree; Python's integers do not overflow, so the product is exact."""
    declared = prod(shape) * item_size
    if stored != declared:
        raise damaged(f"an array's shape needs {declared} bytes, but {stored} are stored")
