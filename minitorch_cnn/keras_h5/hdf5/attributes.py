"""Attributes: small named values on a group or dataset, which is where Keras keeps its lists of names.

A list of texts comes in two encodings: fixed length, padded with zero bytes (h5py 2, the published VGG16 files), and
variable length, where the attribute holds only places in a *global heap* (h5py 3). An empty list of names is neither:
Keras leaves it to NumPy, which makes it an array of zero float64 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ...errors import WeightsError
from .dataspaces import parse_dataspace
from .datatypes import Datatype, parse_datatype
from .object_header import Message
from .text import shown
from .window import Cursor, Window, damaged

LONGEST_TEXT = 4 * 2**20  # a `model_config` of a very large network is under one megabyte
MOST_TEXTS = 100_000
MOST_HEAP_OBJECTS = 65_536  # an object's index has two bytes


@dataclass(frozen=True)
class Attribute:
    """One attribute, not yet decoded: its name, type, shape (None: no values) and bytes."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] | None
    data: bytes

    def count(self) -> int:
        """How many values it holds."""
        return 0 if self.shape is None else prod(self.shape)


def attribute_name(message: Message) -> str:
    """The name alone: an attribute that nobody asks for is never decoded further."""
    return _head(message)[0]


def parse_attribute(message: Message) -> Attribute:
    """One attribute message, in any of its three versions."""
    name, datatype, space, data = _head(message)
    return Attribute(
        name,
        parse_datatype(Cursor(datatype, f"the type of attribute {shown(name)}")),
        parse_dataspace(Cursor(space, f"the shape of attribute {shown(name)}")),
        data,
    )


def _head(message: Message) -> tuple[str, bytes, bytes, bytes]:
    """Name, type, shape and values, undecoded."""
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
    """The value of an attribute that must be one whole number."""
    numpy = attribute.datatype.numpy
    if numpy is None or numpy.kind not in "iu" or attribute.count() != 1 or attribute.datatype.is_bfloat16:
        raise WeightsError(f"attribute {shown(attribute.name)} is not one whole number")
    return int(np.frombuffer(_data(attribute), numpy)[0])


def texts(attribute: Attribute, window: Window) -> list[str]:
    """The values of an attribute that must be a text or a flat list of texts; zero values of any type are no texts."""
    name = shown(attribute.name)
    if attribute.count() == 0:
        return []
    if attribute.datatype.text is None or len(attribute.shape) > 1:
        kind = f"{len(attribute.shape)} axes of {attribute.datatype.name}"
        raise WeightsError(f"attribute {name} is not a flat list of texts but has {kind}")
    if attribute.count() > MOST_TEXTS:
        raise WeightsError(f"attribute {name} lists {attribute.count():,} texts")
    data, size = _data(attribute), attribute.datatype.size
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    if attribute.datatype.text == "variable":
        heaps: dict[int, dict[int, tuple[int, int]]] = {}
        pieces = [_from_global_heap(piece, window, heaps) for piece in pieces]
    elif attribute.datatype.text == "padded with spaces":
        pieces = [piece.rstrip(b" ") for piece in pieces]
    try:
        return [piece.split(b"\0", 1)[0].decode("utf-8") for piece in pieces]
    except UnicodeDecodeError:
        raise WeightsError(f"attribute {name} holds a text that is not UTF-8") from None


def _data(attribute: Attribute) -> bytes:
    needed = attribute.count() * attribute.datatype.size
    if needed > len(attribute.data):
        raise damaged("an attribute is cut short")
    return attribute.data[:needed]


def _from_global_heap(piece: bytes, window: Window, heaps: dict[int, dict[int, tuple[int, int]]]) -> bytes:
    """A text of variable length: its length, the address of a heap collection, and its index there."""
    cursor = Cursor(piece, "a text's place")
    length, address, index = cursor.number(4), cursor.number(8), cursor.number(4)
    if length == 0:
        return b""
    if length > LONGEST_TEXT:
        raise WeightsError(f"a text of {length:,} bytes is longer than any name or model description")
    if address not in heaps:
        heaps[address] = _heap_objects(window, address)
    if index not in heaps[address]:
        raise damaged("a text is missing from its heap")
    offset, size = heaps[address][index]
    if length > size:
        raise damaged("a text runs over its place in the heap")
    return window.read(offset, length, "a text")


def _heap_objects(window: Window, address: int) -> dict[int, tuple[int, int]]:
    """Offset and size of every object of one global heap collection, by index."""
    head = Cursor(window.read(address, 16, "a heap of texts"), "a heap of texts")
    head.expect(b"GCOL")
    head.skip(4)
    end = address + head.number(8)
    window.require(address, end - address, "a heap of texts")
    objects: dict[int, tuple[int, int]] = {}
    offset = address + 16
    while offset + 16 <= end and len(objects) < MOST_HEAP_OBJECTS:
        entry = Cursor(window.read(offset, 16, "a heap of texts"), "a heap of texts")
        index = entry.number(2)
        entry.skip(6)
        size = entry.number(8)
        if index == 0:  # the free space at the end
            break
        if index in objects or offset + 16 + size > end:
            raise damaged("a heap of texts contradicts itself")
        objects[index] = offset + 16, size
        offset += 16 + size + (-size % 8)
    return objects
