"""Memory for results, used again as soon as nobody holds the array that lay in it.

New memory is slow: the operating system has to find every page of it and fill it with zeros, which for the feature maps
of a large network takes up to a third of a training step. But from one step to the next, arrays of the same sizes come
and go. So a piece of memory is kept when its array is gone, and the next array of about that size lies in it. Python
itself knows whether an array is gone: then nothing refers to the memory except its piece.

All pieces together are hardly larger than the most that was in use at one time: before there is a new one, free ones
that have not been used for longest are given back. `release` gives back all that are free.
"""

from __future__ import annotations

import math
import sys
import threading
from typing import Any

import numpy as np

LINE = 64  # bytes of a cache line
SMALLEST = 256 * 1024  # bytes; smaller arrays are left to NumPy
LARGER = 2  # times the bytes of an array at most: a piece in which it may lie
SLACK = 1.1  # times the most that was in use at one time: what all pieces may take


class Piece:
    """Some memory, the byte of it where a cache line begins, and when an array was last put there."""

    __slots__ = ("first", "memory", "used")

    def __init__(self, length: int) -> None:
        self.memory = np.empty(length + LINE, np.uint8)
        self.first = -self.memory.ctypes.data % LINE
        self.used = 0

    def references(self) -> int:
        """How many there are to the memory; `FREE` if no array lies in it."""
        return sys.getrefcount(self.memory)

    def bytes(self, length: int) -> np.ndarray:
        """The first `length` bytes."""
        return self.memory[self.first : self.first + length]


FREE = Piece(0).references()

_pieces: dict[int, list[Piece]] = {}  # bytes: the pieces of that many
_change = threading.Lock()
_count = {"arrays": 0, "most": 0}  # put into pieces so far; bytes of pieces that were in use at the same time


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of `shape` with undefined contents that begins where a cache line does."""
    length = (shape if isinstance(shape, int) else math.prod(shape)) * np.dtype(dtype).itemsize
    memory = Piece(length).bytes(length) if length < SMALLEST else _take(length)
    return memory.view(dtype).reshape(shape)


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
    size = _rounded(length)
    with _change:
        piece = _free(size)
        if piece is None:
            _make_room(size)
            piece = Piece(size)
            _pieces.setdefault(size, []).append(piece)
        _count["arrays"] += 1
        piece.used = _count["arrays"]
        return piece.bytes(length)  # refers to the memory before another thread can look


def _free(size: int) -> Piece | None:
    """A free piece of `size` bytes, or else a little larger; None without one."""
    fitting = sorted(some for some in _pieces if size < some <= LARGER * size)
    for some in (size, *fitting):
        for piece in _pieces.get(some, ()):
            if piece.references() == FREE:
                return piece
    return None


def _rounded(length: int) -> int:
    """`length` and less than a sixteenth of it, so that arrays of about one size can follow one another."""
    step = 1 << max(length.bit_length() - 5, 0)
    return -(-length // step) * step


def _make_room(size: int) -> None:
    """Give back free pieces, so that with a new one of `size` bytes all are hardly larger than the most in use."""
    total = sum(some * len(pieces) for some, pieces in _pieces.items())
    free = [(piece.used, some, piece) for some, pieces in _pieces.items() for piece in pieces]
    free = sorted((item for item in free if item[2].references() == FREE), key=lambda item: item[0])
    in_use = total - sum(some for _, some, _ in free)
    _count["most"] = max(_count["most"], in_use + size)
    for _, some, piece in free:
        if total + size <= _count["most"] * SLACK:
            break
        _pieces[some].remove(piece)
        total -= some
