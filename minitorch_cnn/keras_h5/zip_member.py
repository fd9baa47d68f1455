"""The `.keras` archive: a zip whose member `model.weights.h5` is read in place.

Keras stores its members uncompressed, so the weights are a window of the archive and are never unpacked. Only the list
at the archive's end is used, only the requested members are read, their checksums are compared first, and no named file
is ever written.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import Cursor, Window, damaged

STORED, DEFLATED = 0, 8
LONGEST_LIST = 4 * 2**20
STEP = 2**20
UNKNOWN = 0xFFFF_FFFF  # in an archive of more than 4 GB, the actual number is stored elsewhere


@dataclass(frozen=True)
class Member:
    """One entry of the archive's list."""

    name: str
    header: int
    stored_size: int
    size: int
    method: int
    encrypted: bool
    checksum: int


def list_members(window: Window) -> list[Member]:
    """Every entry in the list at the end of the archive."""
    tail_size = min(window.size, 22 + 65_535)  # a comment of up to 65,535 bytes may follow
    tail = window.read(window.size - tail_size, tail_size, "the zip archive")
    position = tail.rfind(b"PK\x05\x06")
    if position < 0:
        raise WeightsError("the end of the zip archive is missing; the download is incomplete")
    cursor = Cursor(tail, "the zip archive", position + 10)
    count, size, offset = cursor.number(2), cursor.number(4), cursor.number(4)
    if UNKNOWN in (size, offset) or size > LONGEST_LIST:
        raise WeightsError("the zip archive is over 4 GB or lists too many members; unpack it and load its weights")
    entries = Cursor(window.read(offset, size, "the zip archive"), "the zip archive's list")
    return [_member(entries) for _ in range(count)]


def _member(cursor: Cursor) -> Member:
    cursor.expect(b"PK\x01\x02")
    cursor.skip(4)
    flags, method = cursor.number(2), cursor.number(2)
    cursor.skip(4)
    checksum = cursor.number(4)
    stored_size, size = cursor.number(4), cursor.number(4)
    name_size, extra_size, comment_size = cursor.number(2), cursor.number(2), cursor.number(2)
    cursor.skip(8)
    header = cursor.number(4)
    name = cursor.take(name_size).decode("utf-8", "surrogateescape")
    cursor.skip(extra_size + comment_size)
    return Member(name, header, stored_size, size, method, bool(flags & 1), checksum)


def find_member(members: list[Member], name: str) -> Member | None:
    """The entry of this name, or None; raises WeightsError for two, because that is ambiguous."""
    found = [member for member in members if member.name == name]
    if len(found) > 1:
        raise WeightsError(f"the zip archive contains {name} twice")
    return found[0] if found else None


def open_member(window: Window, member: Member, files: ExitStack) -> Window:
    """A window of the member's bytes; a compressed member is unpacked to an unnamed file, added to `files`."""
    head = Cursor(window.read(member.header, 30, "the zip archive"), "the zip archive's member")
    head.expect(b"PK\x03\x04")
    head.skip(22)
    start = member.header + 30 + head.number(2) + head.number(2)
    window.require(start, member.stored_size, "the zip archive's member")
    if member.encrypted or member.method not in (STORED, DEFLATED):
        raise WeightsError(f"{member.name} in the zip archive is encrypted or compressed with an unsupported method")
    if member.method == DEFLATED:
        inside = _unpacked(window, start, member, files)
    elif member.size == member.stored_size:
        inside = Window(window.file, window.start + start, member.size)
    else:
        raise damaged(f"{member.name} in the zip archive is uncompressed but has two different sizes")
    checksum = 0
    for piece in _pieces(inside, 0, inside.size):
        checksum = zlib.crc32(piece, checksum)
    if checksum != member.checksum:
        raise damaged(f"{member.name} in the zip archive has a wrong checksum")
    return inside


def _pieces(window: Window, start: int, end: int) -> Iterator[bytearray]:
    """Yield the bytes of a window, at most a megabyte at a time."""
    while start < end:
        piece = bytearray(min(STEP, end - start))
        window.read_into(piece, start, "the zip archive's member")
        start += len(piece)
        yield piece


def _unpacked(window: Window, start: int, member: Member, files: ExitStack) -> Window:
    """Unpack a compressed member, unless it declares to become far larger, because weights hardly compress."""
    if member.size > 64 * STEP + 4 * member.stored_size:
        raise WeightsError(f"{member.name} in the zip archive would expand to {member.size:,} bytes")
    file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
    inflater = zlib.decompressobj(-15)
    piece: bytes | bytearray
    for piece in _pieces(window, start, start + member.stored_size):
        written = STEP  # a full step means that more output may follow, even without more input
        while (piece or written == STEP) and not inflater.eof and file.tell() <= member.size:
            try:
                written = file.write(inflater.decompress(piece, STEP))
            except zlib.error:
                raise damaged(f"{member.name} in the zip archive cannot be unpacked") from None
            piece = inflater.unconsumed_tail
    if file.tell() != member.size:
        raise damaged(f"{member.name} in the zip archive does not have the size that it declares")
    return Window(file, 0, member.size)
