"""Object headers: a list of typed messages describes every group and every dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged

# The message types that a weight file needs.
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES = 0x01, 0x02, 0x03, 0x06, 0x07
LAYOUT, FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x08, 0x0B, 0x0C, 0x10, 0x11, 0x15

USED = frozenset(
    (DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT, FILTERS, ATTRIBUTE, SYMBOL_TABLE, ATTRIBUTE_INFO)
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its type, its flags and its undecoded bytes."""

    kind: int
    flags: int
    body: bytes

    def cursor(self, what: str) -> Cursor:
        """A cursor over the body; raises WeightsError for "shared" messages, which are stored elsewhere."""
        if self.flags & 0x02:
            raise WeightsError(f"{what} is stored as an HDF5 shared message, which is not supported")
        return Cursor(self.body, what)


def read_object_header(window: Window, address: int) -> list[Message]:
    """The needed messages of the object at `address`, those in continuation blocks included, in file order."""
    start = window.read(address, min(40, max(0, window.size - address)), "an object header")
    if start[:4] == b"OHDR":
        blocks, entry = [_first_block_version_2(start, address)], _entry_version_2(start)
    elif start[:1] == b"\x01":
        blocks, entry = [(address + 16, Cursor(start, "an object header", 8).number(4))], _entry_version_1
    else:
        raise damaged(f"there is no object header at byte {address}")

    messages = []
    seen = set()
    for offset, size in blocks:  # the list grows during the loop, because a continuation message adds a block
        if offset in seen:
            raise damaged("an object header continues into itself")
        seen.add(offset)
        block = window.read(offset, size, "an object header")
        second_version = block[:4] == b"OCHK" and entry is not _entry_version_1
        cursor = Cursor(block[:-4], "an object header", 4) if second_version else Cursor(block, "an object header")
        while (message := entry(cursor)) is not None:
            window.charge()
            if message.kind == CONTINUATION:
                place = message.cursor("a continuation message")
                blocks.append((place.number(8), place.number(8)))
            elif message.kind in USED:
                messages.append(message)
    return messages


def _entry_version_1(cursor: Cursor) -> Message | None:
    """Parse a message: type (2 bytes), size (2), flags (1), three unused bytes, body; None at the end of the block."""
    if cursor.left() < 8:
        return None
    kind, size, flags = cursor.number(2), cursor.number(2), cursor.number(1)
    cursor.skip(3)
    return Message(kind, flags, cursor.take(size))


def _entry_version_2(start: bytes) -> Callable[[Cursor], Message | None]:
    """A parser of messages: type (1 byte), size (2), flags (1), creation order (2, if stored), body."""
    order_size = 2 if start[5] & 0x04 else 0

    def entry(cursor: Cursor) -> Message | None:
        if cursor.left() < 4 + order_size:
            return None
        kind, size, flags = cursor.number(1), cursor.number(2), cursor.number(1)
        cursor.skip(order_size)
        return Message(kind, flags, cursor.take(size))

    return entry


def _first_block_version_2(start: bytes, address: int) -> tuple[int, int]:
    """The address and length of the messages that follow the version 2 prefix."""
    cursor = Cursor(start, "an object header", 4)
    version, flags = cursor.number(1), cursor.number(1)
    if version != 2:
        raise damaged(f"an object header has the unknown version {version}")
    cursor.skip((16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0))  # times; attribute counts for dense storage
    size = cursor.number(1 << (flags & 0x03))
    return address + cursor.position, size
