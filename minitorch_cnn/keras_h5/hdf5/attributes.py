"""Attributes: small named values on a group or dataset, where Keras stores its lists of names.

A list of strings comes in two encodings: fixed length, padded with zero bytes (h5py 2, the published VGG16 files), and
variable length, where the attribute only holds references into a *global heap* (h5py 3, see `global_heap`). An empty
list of names is neither: Keras passes it to NumPy, which makes it an array of zero float64 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.dataspaces import parse_dataspace
from minitorch_cnn.keras_h5.hdf5.datatypes import Datatype, parse_datatype
from minitorch_cnn.keras_h5.hdf5.global_heap import GlobalHeaps
from minitorch_cnn.keras_h5.hdf5.object_header import Message
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.hdf5.window import Cursor, damaged

MOST_TEXTS = 100_000


@dataclass(frozen=True)
class Attribute:
    """One attribute, not yet decoded: its name, type, shape (None for no values) and bytes."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] | None
    data: bytes

    def count(self) -> int:
        """The number of values."""
        return 0 if self.shape is None else prod(self.shape)


def attribute_name(message: Message) -> str:
    """The name only, because an attribute that is not used is never decoded further."""
    return _head(message)[0]


def parse_attribute(message: Message) -> Attribute:
    """Parse one attribute message, in any of its three versions."""
    name, datatype, space, data = _head(message)
    return Attribute(
        name,
        parse_datatype(Cursor(datatype, f"the type of attribute {shown(name)}")),
        parse_dataspace(Cursor(space, f"the shape of attribute {shown(name)}")),
        data,
    )


def _head(message: Message) -> tuple[str, bytes, bytes, bytes]:
    """The name, and the undecoded type, shape and values."""
    cursor = message.cursor("an attribute")
    version, flags = cursor.number(1), cursor.number(1)
    if version not in (1, 2, 3) or (version > 1 and flags & 0x03):
        raise WeightsError("an HDF5 attribute with a shared type or of a newer version is not supported")
    sizes = [cursor.number(2) for _ in range(3)]
    cursor.skip(1 if version == 3 else 0)
    parts = []
    for size in sizes:
        parts.append(cursor.take(size))
        cursor.skip(min(-size % 8, cursor.left()) if version == 1 else 0)
    name = parts[0].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    return name, parts[1], parts[2], cursor.data[cursor.position :]


def integer(attribute: Attribute) -> int:
    """The value of an attribute that must be a single integer."""
    numpy = attribute.datatype.numpy
    if numpy is None or numpy.kind not in "iu" or attribute.count() != 1 or attribute.datatype.is_bfloat16:
        raise WeightsError(f"attribute {shown(attribute.name)} is not a single integer")
    return int(np.frombuffer(_data(attribute), numpy)[0])


def texts(attribute: Attribute, heaps: GlobalHeaps) -> list[str]:
    """The values of an attribute that must be a string or a flat list of strings; [] for no values."""
    name = shown(attribute.name)
    if attribute.shape is None or attribute.count() == 0:
        return []
    if attribute.datatype.text is None or len(attribute.shape) > 1:
        found = f"{attribute.datatype.name} of shape {attribute.shape}"
        raise WeightsError(f"attribute {name}: expected a flat list of strings, got {found}")
    if attribute.count() > MOST_TEXTS:
        raise WeightsError(f"attribute {name}: expected at most {MOST_TEXTS:,} strings, got {attribute.count():,}")
    data, size = _data(attribute), attribute.datatype.size
    heaps.window.charge(len(data))
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    if attribute.datatype.text == "variable":
        pieces = [heaps.text(piece) for piece in pieces]
    elif attribute.datatype.text == "padded with spaces":
        pieces = [piece.rstrip(b" ") for piece in pieces]
    try:
        return [piece.split(b"\0", 1)[0].decode("utf-8") for piece in pieces]
    except UnicodeDecodeError:
        raise WeightsError(f"attribute {name} holds a string that is not UTF-8") from None


def _data(attribute: Attribute) -> bytes:
    needed = attribute.count() * attribute.datatype.size
    if needed > len(attribute.data):
        raise damaged("an attribute is cut short")
    return attribute.data[:needed]
