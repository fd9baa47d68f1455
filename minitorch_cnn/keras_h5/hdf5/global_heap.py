"""Global heaps: where texts of variable length lie, many together in one collection of some kilobytes.

An attribute holds only places: a text's length, the address of its collection, and its number there. A collection is
read once however many lists point into it; each text is charged to the file's allowance each time it is asked for.
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

    def text(self, place: bytes) -> bytes:
        """The text at a place of 16 bytes."""
        cursor = Cursor(place, "a text's place")
        length, address, number = cursor.number(4), cursor.number(8), cursor.number(4)
        if length == 0:
            return b""
        if length > LONGEST_TEXT:
            raise WeightsError(f"a text of {length:,} bytes is longer than any name or model description")
        if address not in self._collections:
            self._collections[address] = _collection(self.window, address)
        data = self._collections[address].get(number)
        if data is None:
            raise damaged("a text is missing from its heap")
        if length > len(data):
            raise damaged("a text runs over its place in the heap")
        self.window.charge(length)
        return data[:length]


def _collection(window: Window, address: int) -> dict[int, bytes]:
    """The objects of one collection by number."""
    head = Cursor(window.read(address, 16, "a heap of texts"), "a heap of texts")
    head.expect(b"GCOL")
    head.skip(4)
    size = head.number(8)
    if size < 16:
        raise damaged("a heap of texts is shorter than its head")
    body = Cursor(window.read(address + 16, size - 16, "a heap of texts"), "a heap of texts")
    objects: dict[int, bytes] = {}
    while body.left() >= 16:
        number = body.number(2)
        body.skip(6)
        length = body.number(8)
        if number == 0:  # the free space at the end
            break
        if number in objects:
            raise damaged("a heap of texts contradicts itself")
        objects[number] = body.take(length)
        body.skip(min(-length % 8, body.left()))
    return objects
