"""Memory for results, used again as soon as nobody holds the array that lay in it.

New memory is slow: the operating system has to find every page of it and fill it with zeros, which for the feature maps
of a large network is a good part of a training step. But from one step to the next, arrays of the same sizes come
and go. So a piece of memory is kept when its array is gone, and the next array of about that size lies in it. Python
itself knows whether an array is gone: then nothing refers to the memory except its piece.

All pieces together are little larger than the most that was in use at one time: before there is a new one, free ones
are given back. `release` gives back all that are free.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import sys
import threading
from typing import Any

import numpy as np

LINE = 64  # bytes of a cache line
SMALLEST = 256 * 1024  # bytes; smaller arrays are left to NumPy
LARGER = 1.25  # times the bytes of an array at most: a piece in which it may lie
SLACK = 8 * 2**20  # bytes that all pieces together may take beyond the most that was in use
SHARE = 8  # besides, an eighth of that most: the sizes that are needed at one time differ from those at another
REMEMBERED = 4000  # arrays: a piece in which none of the last so many lay is the first to go


class Piece:
    """Some memory, straight from the operating system and straight back to it; `used` numbers its last array."""

    __slots__ = ("memory", "used")

    def __init__(self, size: int) -> None:
        try:
            pages = mmap.mmap(-1, size)
        except OSError:
            raise MemoryError(f"no memory for {size:,} bytes") from None
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # where the system has no large pages
                pages.madvise(mmap.MADV_HUGEPAGE)
        self.memory = np.frombuffer(pages, np.uint8)
        self.used = 0

    def references(self) -> int:
        """How many there are to the memory; `FREE` if no array lies in it."""
        return sys.getrefcount(self.memory)


FREE = Piece(mmap.PAGESIZE).references()

_pieces: dict[int, list[Piece]] = {}  # bytes: the pieces of that many
_change = threading.Lock()
_count = {"arrays": 0, "most": 0}  # put into pieces so far; bytes of pieces that were in use at the same time


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of `shape` with undefined contents that begins where a cache line does."""
    length = (shape if isinstance(shape, int) else math.prod(shape)) * np.dtype(dtype).itemsize
    if length >= SMALLEST:
        return _take(length).view(dtype).reshape(shape)
    memory = np.empty(length + LINE, np.uint8)
    first = -memory.ctypes.data % LINE
    return memory[first : first + length].view(dtype).reshape(shape)


def empty_like(array: np.ndarray) -> np.ndarray:
    """An array with the shape and dtype of `array` and undefined contents; its last axis is the fastest."""
    return empty(array.shape, array.dtype)


def release() -> None:
    """Give back all memory in which no array lies any more."""
    with _change:
        _count["most"] = 0
        for pieces in _pieces.values():
            pieces[:] = [piece for piece in pieces if piece.references() != FREE]


def _take(length: int) -> np.ndarray:
    """`length` bytes of a piece that was free or is new."""
    size = -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
    with _change:
        piece = _free(size)
        if piece is None:
            _make_room(size)
            piece = Piece(size)
            _pieces.setdefault(size, []).append(piece)
        _count["arrays"] += 1
        piece.used = _count["arrays"]
        return piece.memory[:length]  # refers to the memory before another thread can look


def _free(size: int) -> Piece | None:
    """A free piece of `size` bytes, or else one that is a little larger; None without one."""
    for some in (size, *sorted(some for some in _pieces if size < some <= LARGER * size)):
        for piece in _pieces.get(some, ()):
            if piece.references() == FREE:
                return piece
    return None


def _make_room(size: int) -> None:
    """Give back free pieces, until with a new one of `size` bytes all are little larger than the most in use.

    What comes again comes step by step, so that the piece that was used last will be needed last.
    """
    total = sum(some * len(pieces) for some, pieces in _pieces.items())
    free = [(piece.used, some, piece) for some, pieces in _pieces.items() for piece in pieces]
    free = sorted((item for item in free if item[2].references() == FREE), key=lambda item: item[0])
    _count["most"] = max(_count["most"], total - sum(some for _, some, _ in free) + size)
    while free and total + size > _count["most"] + _count["most"] // SHARE + SLACK:
        forgotten = free[0][0] < _count["arrays"] - REMEMBERED
        _, some, piece = free.pop(0 if forgotten else -1)
        _pieces[some].remove(piece)
        total -= some
