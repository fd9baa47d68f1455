"""Global heaps, which store strings of variable length, many of them in one collection of a few kilobytes.

An attribute only holds references: a string's length, the address of its collection, and its number there. A collection
is read once, however many lists refer to it; each string counts towards the file's allowance every time it is used.
"""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged

LONGEST_TEXT = 4 * 2**20  # a `model_config` of a very large network is under one megabyte


class GlobalHeaps:
    """The collections of one file, by address."""

    def __init__(self, window: Window):
        self.window = window
        self._collections: dict[int, dict[int, bytes]] = {}

    def text(self, reference: bytes) -> bytes:
        """The string that a reference of 16 bytes points to."""
        cursor = Cursor(reference, "a reference to a string")
        length, address, number = cursor.number(4), cursor.number(8), cursor.number(4)
        if length == 0:
            return b""
        if length > LONGEST_TEXT:
            raise WeightsError(f"a string of {length:,} bytes is longer than any name or model description")
        if address not in self._collections:
            self._collections[address] = _collection(self.window, address)
        data = self._collections[address].get(number)
        if data is None:
            raise damaged("a string is missing from its heap")
        if length > len(data):
            raise damaged("a string is longer than its entry in the heap")
        self.window.charge(length)
        return data[:length]


def _collection(window: Window, address: int) -> dict[int, bytes]:
    """The objects of one collection by number."""
    head = Cursor(window.read(address, 16, "a heap of strings"), "a heap of strings")
    head.expect(b"GCOL")
    head.skip(4)
    size = head.number(8)
    if size < 16:
        raise damaged("a heap of strings is shorter than its header")
    body = Cursor(window.read(address + 16, size - 16, "a heap of strings"), "a heap of strings")
    objects: dict[int, bytes] = {}
    while body.left() >= 16:
        number = body.number(2)
        body.skip(6)
        length = body.number(8)
        if number == 0:  # the free space at the end
            break
        if number in objects:
            raise damaged("a heap of strings uses one number twice")
        objects[number] = body.take(length)
        body.skip(min(-length % 8, body.left()))
    return objects
