"""Dense storage: how newer files store many links or attributes of one object.

The messages themselves are stored in a fractal heap, a series of blocks that double in size. A version 2 B-tree lists
the offset and length of each message in that heap. Both are walked only downwards and within bounds.
"""

from __future__ import annotations

from collections.abc import Iterator

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import UNDEFINED, Cursor, Window, damaged

# Where the heap identifier is in a record of the tree: after a hash for links by name, at the start for attributes.
IDENTIFIER_POSITION = {5: 4, 8: 0}
TREE_OVERHEAD = 10  # bytes of a tree node that are not records: signature, version, type, checksum


def read_dense(window: Window, heap_address: int, tree_address: int) -> Iterator[bytes]:
    """Yield the bytes of every message stored in this heap."""
    if UNDEFINED in (heap_address, tree_address):
        return
    heap = FractalHeap(window, heap_address)
    for identifier in _identifiers(window, tree_address, heap.identifier_size):
        yield heap.read(identifier)


class FractalHeap:
    """Blocks of doubling size that together form one range of offsets.

    Rows 0 and 1 hold blocks of the starting size; the blocks of every later row are twice as large as those of the row
    before. Rows up to the largest direct block hold messages; later rows hold indirect blocks, tables of further rows.
    """

    def __init__(self, window: Window, address: int):
        self.window = window
        head = Cursor(window.read(address, 142, "a fractal heap"), "a fractal heap")
        head.expect(b"FRHP")
        head.skip(1)
        self.identifier_size, filters = head.number(2), head.number(2)
        if filters:
            raise WeightsError("an HDF5 fractal heap with filters is not supported")
        head.skip(1)
        largest_object = head.number(4)
        head.skip(12 * 8)
        self.width, self.start_size, largest_direct = head.number(2), head.number(8), head.number(8)
        offset_bits = head.number(2)
        head.skip(2)
        self.root, self.root_rows = head.number(8), head.number(2)
        if not 0 < self.width <= 1024 or not 0 < self.start_size <= largest_direct or offset_bits > 64:
            raise damaged("a fractal heap has an impossible size")
        self.offset_size = (offset_bits + 7) // 8
        self.length_size = _bytes_for(min(largest_direct, largest_object))
        self.direct_rows = (largest_direct // self.start_size).bit_length() + 1

    def read(self, identifier: bytes) -> bytes:
        """The message with this identifier, which consists of a kind, an offset and a length."""
        cursor = Cursor(identifier, "a heap identifier")
        if cursor.number(1) & 0x30:
            raise WeightsError("an HDF5 attribute or link of more than 64 KB is not supported")
        offset, length = cursor.number(self.offset_size), cursor.number(self.length_size)
        block, block_size, within = self._find(offset)
        if within + length > block_size:
            raise damaged("a message in a fractal heap extends beyond its block")
        return self.window.read(block + within, length, "a fractal heap")

    def _find(self, offset: int) -> tuple[int, int, int]:
        """The address and size of the direct block that holds `offset`, and the offset within it."""
        address, rows = self.root, self.root_rows
        if rows == 0:
            return address, self.start_size, offset
        for _ in range(64):  # each indirect block covers less than the one above, so 64 steps are more than enough
            row, column, within, size = self._place(offset)
            if row >= rows:
                raise damaged("an offset lies outside its fractal heap")
            entry = address + 5 + 8 + self.offset_size + 8 * (row * self.width + column)
            head = Cursor(self.window.read(address, 4, "a heap block"), "a heap block")
            head.expect(b"FHIB")
            address = Cursor(self.window.read(entry, 8, "a heap block"), "a heap block").number(8)
            if row < self.direct_rows:
                return address, size, within
            offset, rows = within, (size // (self.start_size * self.width)).bit_length()
        raise damaged("a fractal heap is nested without end")

    def _place(self, offset: int) -> tuple[int, int, int, int]:
        """Row, column, offset within the block, and size of the block that covers `offset`."""
        row = (offset // (self.start_size * self.width)).bit_length()
        size = self.start_size << max(0, row - 1)
        first = 0 if row == 0 else size * self.width
        column, within = divmod(offset - first, size)
        return row, column, within, size


def _identifiers(window: Window, address: int, identifier_size: int) -> Iterator[bytes]:
    """Yield every heap identifier in a version 2 B-tree."""
    head = Cursor(window.read(address, 38, "a B-tree"), "a B-tree")
    head.expect(b"BTHD")
    head.skip(1)
    kind, node_size, record_size, depth = head.number(1), head.number(4), head.number(2), head.number(2)
    head.skip(2)
    root, root_records = head.number(8), head.number(2)
    if kind not in IDENTIFIER_POSITION:
        raise damaged(f"expected a B-tree of links or attributes, got one of type {kind}")
    position = IDENTIFIER_POSITION[kind]
    if record_size < position + identifier_size or node_size < TREE_OVERHEAD + record_size or depth > 16:
        raise damaged("a B-tree has an impossible size")

    most = [(node_size - TREE_OVERHEAD) // record_size]  # the most records that a node can hold, by level
    most_below = list(most)  # the same including all nodes below it
    count_size = _bytes_for(most[0])
    pointer_sizes = [0]
    for level in range(1, depth + 1):
        pointer = 8 + count_size + (_bytes_for(most_below[-1]) if level > 1 else 0)
        pointer_sizes.append(pointer)
        most.append((node_size - TREE_OVERHEAD - pointer) // (record_size + pointer))
        most_below.append((most[-1] + 1) * most_below[-1] + most[-1])

    seen = set()
    pending = [(root, root_records, depth)]
    while pending:
        address, records, level = pending.pop()
        if address == UNDEFINED:
            continue
        if address in seen or not 0 <= records <= most[level]:
            raise damaged("a B-tree reaches the same node twice or counts too many records")
        seen.add(address)
        size = 6 + records * record_size + (records + 1) * pointer_sizes[level]
        node = Cursor(window.read(address, size, "a B-tree node"), "a B-tree node")
        node.expect(b"BTIN" if level else b"BTLF")
        node.skip(2)
        for _ in range(records):
            yield node.take(record_size)[position : position + identifier_size]
        for _ in range(records + 1 if level else 0):
            child, count = node.number(8), node.number(count_size)
            node.skip(pointer_sizes[level] - 8 - count_size)
            pending.append((child, count, level - 1))


def _bytes_for(limit: int) -> int:
    """How many bytes HDF5 uses for a number that is at most `limit`."""
    return (limit.bit_length() - 1) // 8 + 1 if limit else 1
