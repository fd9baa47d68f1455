"""Datasets: an array's shape, its number type, and where its bytes are.

Nothing is allocated until `check` has found that the file really holds the numbers: a declared shape costs a dozen
bytes and proves nothing, and an array that was declared but never written reads as any value that the file chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ...errors import WeightsError
from . import chunks
from .dataspaces import parse_dataspace
from .datatypes import as_bfloat16, parse_datatype
from .object_header import DATASPACE, DATATYPE, EXTERNAL_FILES, FILTERS, LAYOUT, Message
from .window import UNDEFINED, Window, damaged

COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = 0, 1, 2, 3
LAYOUT_NAMES = {COMPACT: "compact", CONTIGUOUS: "contiguous", CHUNKED: "chunked", VIRTUAL: "virtual"}


class Storage:
    """Where a dataset's numbers are: `kind` is one of the layouts, the other fields belong to it."""

    def __init__(self, message: Message):
        cursor = message.cursor("a dataset's layout")
        version, self.kind = cursor.number(1), cursor.number(1)
        if version not in (3, 4) or self.kind not in LAYOUT_NAMES:
            raise WeightsError(f"HDF5 data layout version {version}, class {self.kind} is not supported")
        if self.kind == VIRTUAL:
            raise WeightsError("it is a virtual dataset: its numbers are in other files; that is not followed")
        if self.kind == COMPACT:
            self.data = cursor.take(cursor.number(2))
        elif self.kind == CONTIGUOUS:
            self.address, self.size = cursor.number(8), cursor.number(8)
        elif version == 4:
            raise WeightsError("chunks in the layout of HDF5 1.10 are not supported; `h5repack --high=0` rewrites them")
        else:
            axes = cursor.number(1)
            self.address = cursor.number(8)
            self.chunk_shape = tuple(cursor.number(4) for _ in range(axes))[:-1]  # the last one is the number's size


class Dataset:
    """An array in the file: `shape` (None for a "null" space), `datatype`, and the numbers on request."""

    def __init__(self, window: Window, messages: Sequence[Message]):
        found = {message.kind: message for message in messages}
        if EXTERNAL_FILES in found:
            raise WeightsError("its numbers are in another file (external storage); that is not followed")
        if DATASPACE not in found or DATATYPE not in found:
            raise damaged("a dataset without a shape or a type")
        self._window = window
        self.shape = parse_dataspace(found[DATASPACE].cursor("a dataset's shape"))
        self.datatype = parse_datatype(found[DATATYPE].cursor("a dataset's type"))
        self._storage = Storage(found[LAYOUT])
        filters = found.get(FILTERS)
        self._filters = chunks.parse_filters(filters.cursor("a dataset's filters")) if filters else ()
        self._chunks: list[chunks.Chunk] | None = None

    def count(self) -> int:
        """How many numbers it declares, as an exact whole number: the product may exceed 64 bits."""
        return 0 if self.shape is None else prod(self.shape)

    def declared_bytes(self) -> int:
        """How many bytes those numbers are."""
        return self.count() * self.datatype.size

    def use_bfloat16(self) -> None:
        """Read this dataset's opaque 2-byte values as bfloat16."""
        self.datatype = as_bfloat16(self.datatype)

    def check(self) -> None:
        """Raise WeightsError unless this is an array of floats whose bytes are all there; reads no number."""
        if self.shape is None:
            raise WeightsError("it holds no values")
        if not self.datatype.is_float:
            raise WeightsError(f"it holds {self.datatype.name}, not floating-point numbers")
        getattr(self, f"_check_{LAYOUT_NAMES[self._storage.kind]}")(self._storage)

    def read(self) -> np.ndarray:
        """The numbers in native byte order and stored precision; bfloat16 becomes float32, which holds it exactly."""
        self.check()
        array = np.empty(self.shape, self.datatype.numpy)
        getattr(self, f"_read_{LAYOUT_NAMES[self._storage.kind]}")(self._storage, array)
        if self.datatype.is_bfloat16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _check_compact(self, storage: Storage) -> None:
        if len(storage.data) != self.declared_bytes():
            raise damaged(f"{len(storage.data)} bytes are stored for a shape of {self.declared_bytes()}")

    def _read_compact(self, storage: Storage, array: np.ndarray) -> None:
        array[...] = np.frombuffer(storage.data, array.dtype).reshape(self.shape)

    def _check_contiguous(self, storage: Storage) -> None:
        if self.count() == 0:
            return
        if storage.address == UNDEFINED:
            raise WeightsError("it was declared but never written")
        if storage.size != self.declared_bytes():
            raise damaged(f"{storage.size} bytes are stored for a shape of {self.declared_bytes()}")
        self._window.require(storage.address, storage.size, "an array")

    def _read_contiguous(self, storage: Storage, array: np.ndarray) -> None:
        if array.size:
            self._window.read_into(memoryview(array.reshape(-1)).cast("B"), storage.address, "an array")

    def _check_chunked(self, storage: Storage) -> None:
        if self._chunks is not None:
            return
        shape, chunk_shape = self.shape, storage.chunk_shape
        if len(chunk_shape) != len(shape) or not all(0 < step <= size for step, size in zip(chunk_shape, shape)):
            raise WeightsError(f"chunks of shape {chunk_shape} do not divide an array of shape {shape}")
        self._chunks = chunks.list_chunks(self._window, storage.address, shape, chunk_shape)

    def _read_chunked(self, storage: Storage, array: np.ndarray) -> None:
        size = prod(storage.chunk_shape) * self.datatype.size
        for chunk in self._chunks:
            data = chunks.read_chunk(self._window, chunk, self._filters, size, self.datatype.size)
            piece = np.frombuffer(data, array.dtype).reshape(storage.chunk_shape)
            place = tuple(slice(begin, begin + step) for begin, step in zip(chunk.start, storage.chunk_shape))
            target = array[place]  # shorter than the piece where the array ends inside a chunk
            target[...] = piece[tuple(slice(0, length) for length in target.shape)]
