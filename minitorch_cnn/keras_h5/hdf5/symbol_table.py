"""Links of older groups: a B-tree leads to symbol nodes, whose entries give offsets in a heap of names."""

from __future__ import annotations

from collections.abc import Iterator

from minitorch_cnn.keras_h5.hdf5 import btree_v1
from minitorch_cnn.keras_h5.hdf5.links import Link
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged

SOFT_LINK = 2  # the "cache type" of an entry that is a path instead of an object
KEY_SIZE = 8


def read_symbol_table(window: Window, tree_address: int, heap_address: int) -> Iterator[tuple[bytes, Link]]:
    """Yield every `(name, link)` of the group."""
    names = _read_local_heap(window, heap_address)
    for _, node in btree_v1.walk(window, tree_address, btree_v1.LINKS, KEY_SIZE):
        head = Cursor(window.read(node, 8, "a symbol node"), "a symbol node")
        head.expect(b"SNOD")
        head.skip(2)
        count = head.number(2)
        entries = Cursor(window.read(node + 8, 40 * count, "a symbol node"), "a symbol node")
        for _ in range(count):
            name_offset, address, cache_type = entries.number(8), entries.number(8), entries.number(4)
            entries.skip(20)
            kind = "soft link" if cache_type == SOFT_LINK else "object"
            name = _name_at(names, name_offset)
            window.charge(len(name))  # names may overlap, so a thousand of them can each be as long as their heap
            yield name, Link(kind, address)


def _read_local_heap(window: Window, address: int) -> bytes:
    head = Cursor(window.read(address, 32, "a heap of names"), "a heap of names")
    head.expect(b"HEAP")
    head.skip(4)
    size = head.number(8)
    head.skip(8)
    return window.read(head.number(8), size, "a heap of names")


def _name_at(names: bytes, offset: int) -> bytes:
    end = names.find(b"\0", offset)
    if end < 0:
        raise damaged("a name is not terminated")
    return names[offset:end]
