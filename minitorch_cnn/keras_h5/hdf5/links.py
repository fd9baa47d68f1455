"""Link messages of newer groups, and the kinds of links.

Only hard links are followed: the address of an object in the same file. A soft link is a path, which may lead in a
circle, and an external link opens another file on the user's machine. Both are listed by name, so that an error can say
why the object behind one is not read.
"""

from __future__ import annotations

from dataclasses import dataclass

from minitorch_cnn.keras_h5.hdf5.window import Cursor

LINK_KINDS = {0: "object", 1: "soft link", 64: "external link"}


@dataclass(frozen=True, slots=True)
class Link:
    """What a name refers to: `kind` is "object", "soft link", "external link" or "user-defined link"."""

    kind: str
    address: int


def parse_link(cursor: Cursor) -> tuple[bytes, Link]:
    """Parse one link message: version, flags, kind, creation order, character set, name, address."""
    cursor.skip(1)
    flags = cursor.number(1)
    kind = LINK_KINDS.get(cursor.number(1) if flags & 0x08 else 0, "user-defined link")
    cursor.skip((8 if flags & 0x04 else 0) + (1 if flags & 0x10 else 0))
    name = cursor.take(cursor.number(1 << (flags & 0x03)))
    return name, Link(kind, cursor.number(8) if kind == "object" else 0)
