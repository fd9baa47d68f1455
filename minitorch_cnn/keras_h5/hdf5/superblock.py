"""The first bytes of an HDF5 file: its version, where its root group is, and how long the file should be."""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import UNDEFINED, Cursor, Window, damaged

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def find_signature(window: Window) -> int | None:
    """Where the HDF5 data begins: byte 0, or after a user block of 512, 1024, 2048, ... bytes; else None."""
    offset = 0
    while offset + len(SIGNATURE) <= window.size:
        if window.read(offset, len(SIGNATURE), "the signature") == SIGNATURE:
            return offset
        offset = max(512, 2 * offset)
    return None


def read_superblock(window: Window, offset: int) -> tuple[Window, int]:
    """Check the superblock at `offset`; return the window in which addresses count from 0, and the root's address.

    The root's address is that of the root group's object header. Raises WeightsError when the file is shorter than it
    declares, as after an incomplete download.
    """
    cursor = Cursor(window.read(offset, min(96, window.size - offset), "the superblock"), "the superblock", 8)
    version = cursor.number(1)
    if version > 3:
        raise WeightsError(f"expected HDF5 superblock version 0 to 3, got {version}")
    if version <= 1:
        cursor.skip(4)
    sizes = cursor.number(1), cursor.number(1)
    if sizes != (8, 8):
        raise WeightsError(f"HDF5 addresses of {sizes[0]} and lengths of {sizes[1]} bytes are not supported, only 8")
    cursor.skip({0: 9, 1: 13, 2: 1, 3: 1}[version])  # tree widths and flags, which are not needed here

    base = cursor.number(8)
    cursor.skip(8)
    end_of_file = cursor.number(8)
    if version <= 1:
        if cursor.number(8) != UNDEFINED:
            raise WeightsError("the HDF5 file is split into several parts, which is not supported")
        cursor.skip(8)
    root = cursor.number(8)

    if base != offset:
        raise damaged(f"it declares that it begins at byte {base}, but it begins at byte {offset}")
    if end_of_file > window.size:
        raise WeightsError(f"the download is incomplete: have {window.size:,} of {end_of_file:,} bytes")
    return window.narrowed(offset), root
