"""Datasets: an array's shape, its number type, and, on request, its numbers.

Nothing is allocated until `check` has made sure that the file really holds the numbers. A declared shape costs a dozen
bytes and proves nothing, and an array that was declared but never written would read as any value the file chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.dataspaces import parse_dataspace
from minitorch_cnn.keras_h5.hdf5.datatypes import as_bfloat16, parse_datatype
from minitorch_cnn.keras_h5.hdf5.object_header import DATASPACE, DATATYPE, EXTERNAL_FILES, FILTERS, LAYOUT, Message
from minitorch_cnn.keras_h5.hdf5.storage import parse_storage
from minitorch_cnn.keras_h5.hdf5.window import Window, damaged

MOST_NUMBERS = 2**48


class Dataset:
    """An array in the file: `shape` (None for a "null" space), `datatype`, and the numbers on request."""

    def __init__(self, window: Window, messages: Sequence[Message]):
        found = {message.kind: message for message in messages}
        if EXTERNAL_FILES in found:
            raise WeightsError("its numbers are in another file (external storage), which is not opened")
        if DATASPACE not in found or DATATYPE not in found:
            raise damaged("a dataset has no shape or no type")
        self.shape = parse_dataspace(found[DATASPACE].cursor("a dataset's shape"))
        self.datatype = parse_datatype(found[DATATYPE].cursor("a dataset's type"))
        self._storage = parse_storage(window, found[LAYOUT], found.get(FILTERS))

    def declared_bytes(self) -> int:
        """The size of its numbers in bytes, as an exact Python integer, because it may exceed 64 bits."""
        return 0 if self.shape is None else prod(self.shape) * self.datatype.size

    def use_bfloat16(self) -> None:
        """Read this dataset's opaque 2-byte values as bfloat16."""
        self.datatype = as_bfloat16(self.datatype)

    def check(self) -> None:
        """Raise WeightsError unless this is an array of floats whose bytes are all in the file; reads no numbers."""
        if self.shape is None:
            raise WeightsError("it holds no values")
        if not self.datatype.is_float:
            raise WeightsError(f"it holds {self.datatype.name}, not floating-point numbers")
        self._storage.check(self.shape, self.datatype.size)
        if prod(size or 1 for size in self.shape) >= MOST_NUMBERS:  # one axis of length 0 hides how long the others are
            raise WeightsError("it declares more numbers than any computer can hold")

    def read(self) -> np.ndarray:
        """The numbers in native byte order and stored precision, but bfloat16 as float32, which is exact."""
        self.check()
        assert self.shape is not None and self.datatype.numpy is not None  # as `check` requires
        array = np.empty(self.shape, self.datatype.numpy)
        self._storage.fill(array)
        if self.datatype.is_bfloat16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(array.dtype.newbyteorder("="), copy=False)
