"""Link messages of newer groups, and what a link can be.

Only a hard link, the address of an object in the same file, is ever followed. A soft link is a path that may lead round
in circles, an external link opens another file of the reader's machine: both are kept by name, so that whoever asks for
one learns why it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from minitorch_cnn.keras_h5.hdf5.window import Cursor

LINK_KINDS = {0: "object", 1: "soft link", 64: "external link"}


@dataclass(frozen=True, slots=True)
class Link:
    """Where a name leads: `kind` is "object", "soft link", "external link" or "user-defined link"."""

    kind: str
    address: int


def parse_link(cursor: Cursor) -> tuple[bytes, Link]:
    """One link message: version, flags, kind, creation order, character set, name, address."""
    cursor.skip(1)
    flags = cursor.number(1)
    kind = LINK_KINDS.get(cursor.number(1) if flags & 0x08 else 0, "user-defined link")
    cursor.skip((8 if flags & 0x04 else 0) + (1 if flags & 0x10 else 0))
    name = cursor.take(cursor.number(1 << (flags & 0x03)))
    return name, Link(kind, cursor.number(8) if kind == "object" else 0)
