"""Version 1 B-trees, which index the links of older groups and the chunks of datasets."""

from __future__ import annotations

from collections.abc import Iterator

from minitorch_cnn.keras_h5.hdf5.window import UNDEFINED, Cursor, Window, damaged

LINKS, CHUNKS = 0, 1


def walk(window: Window, address: int, node_type: int, key_size: int) -> Iterator[tuple[bytes, int]]:
    """Yield every `(key, child address)` of the lowest level.

    A child must be exactly one level below its parent, and no node may be reached twice. So a node that lists itself as
    its child, the nine changed bytes that overflow the C library's stack, causes an error here.
    """
    seen = set()
    pending: list[tuple[int, int | None]] = [(address, None)]
    while pending:
        address, expected_level = pending.pop()
        if address == UNDEFINED:
            continue
        if address in seen:
            raise damaged("a B-tree reaches the same node twice")
        seen.add(address)

        head = Cursor(window.read(address, 24, "a B-tree node"), "a B-tree node")
        head.expect(b"TREE")
        kind, level, entries = head.number(1), head.number(1), head.number(2)
        if kind != node_type:
            raise damaged("a B-tree node has the wrong type")
        if expected_level is not None and level != expected_level:
            raise damaged("a B-tree node is not one level below its parent")
        body = Cursor(window.read(address + 24, entries * (key_size + 8), "a B-tree node"), "a B-tree node")
        for _ in range(entries):
            key, child = body.take(key_size), body.number(8)
            if level == 0:
                yield key, child
            else:
                pending.append((child, level - 1))
