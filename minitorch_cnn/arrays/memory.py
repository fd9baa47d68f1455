"""Memory for results, used again as soon as nobody holds the array that lay in it.

New memory is slow: the operating system has to find every page of it and fill it with zeros, which for the feature maps
of a large network is a good part of a training step. But from one step to the next, arrays of the same sizes come
and go. So arrays lie in large blocks of memory that stay. What lies between two arrays in use is a gap, and the next
array takes the beginning of the smallest gap that is large enough. When an array is gone, its place becomes a gap,
together with the gaps next to it. Python itself tells when an array is gone: then nothing refers to its memory.

Pages that were never written, or that were given back, cost no memory. All others together take at most about one and
a half times what was in use at one time: pages of gaps are given back before more are written. `release` gives back
those of all gaps.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import mmap
import weakref
from collections import deque
from typing import Any

import numpy as np

from minitorch_cnn.arrays.locks import ForkLock

LINE = 64  # bytes of a cache line
SMALLEST = 256 * 1024  # bytes; smaller arrays are left to NumPy
BLOCK = 64 * 2**20  # bytes of a block, if its first array is not larger
LARGE_PAGE = 2 * 2**20  # bytes of the pages that a system has for large blocks
SLACK = 8 * 2**20  # bytes that may be written beyond the most that was in use
SHARE = 2  # besides, half of that most: gaps are rarely just as large as the next array
# In memory of its own a process also gets large pages, and what a forked process writes does not appear in its parent.
OWN = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}


class Gap:
    """Bytes of a block from `first` to `end` that no array uses; pages outside of `low` to `high` take no memory."""

    __slots__ = ("end", "first", "high", "low")

    def __init__(self, first: int, end: int, low: int, high: int) -> None:
        self.first, self.end, self.low, self.high = first, end, low, high

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.first

    @property
    def written(self) -> int:
        """Its bytes that take memory, at most."""
        return self.high - self.low

    def unwritten(self, size: int) -> int:
        """How many of its first `size` bytes take no memory yet."""
        return size - max(0, min(self.high, self.first + size) - self.low)


class Block:
    """Memory straight from the operating system, and its gaps in their order."""

    def __init__(self, size: int) -> None:
        self.pages, self.size = mmap.mmap(-1, size, **OWN), size
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # where the system has no large pages
                self.pages.madvise(mmap.MADV_HUGEPAGE)
        self.gaps = [Gap(0, size, 0, 0)]

    def take(self, gap: Gap, size: int) -> np.ndarray:
        """The first `size` bytes of a gap."""
        first = gap.first
        if gap.size == size:
            self.gaps.remove(gap)
        else:
            gap.first += size
            gap.low, gap.high = max(gap.low, gap.first), max(gap.high, gap.first)
        return np.frombuffer(self.pages, np.uint8, size, first)

    def put_back(self, first: int, end: int) -> int:
        """Make these bytes a gap, one with the gaps next to it; the bytes between that now count as written."""
        at = bisect.bisect(self.gaps, first, key=lambda gap: gap.first)
        low, high, counted = first, end, end - first
        if at < len(self.gaps) and self.gaps[at].first == end:
            after = self.gaps.pop(at)
            end, high = after.end, after.high if after.written else high
            counted += after.written
        if at and self.gaps[at - 1].end == first:
            before = self.gaps.pop(at := at - 1)
            first, low = before.first, before.low if before.written else low
            counted += before.written
        self.gaps.insert(at, Gap(first, end, low, high))
        return high - low - counted

    def give_back(self, gap: Gap) -> None:
        """Give the pages of a gap back to the system, which has to find and clear others when they are used again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.pages.madvise(mmap.MADV_DONTNEED, gap.low, gap.written)
            gap.low = gap.high = gap.first


class Use(weakref.ref):
    """Which bytes of which block an array takes; called when it is gone."""

    __slots__ = ("block", "end", "first")
    block: Block
    first: int
    end: int


_blocks: list[Block] = []
_uses: dict[int, Use] = {}  # by their identity, since a reference has the hash of what it refers to
_gone: deque[Use] = deque()  # noted at any moment, in any thread; the gaps are made when somebody needs one
_change = ForkLock()
_bytes = {"in use": 0, "most": 0, "written": 0}


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


def written() -> int:
    """The bytes that take memory, of arrays and of gaps, at most."""
    with _change:
        _make_gaps()
        return _bytes["written"]


def release() -> None:
    """Give back all memory in which no array lies any more."""
    with _change:
        _make_gaps()
        _bytes["most"] = _bytes["in use"]
        _give_back(_bytes["written"])


def _take(length: int) -> np.ndarray:
    """`length` bytes of a gap."""
    size = _whole(length, mmap.PAGESIZE)
    with _change:
        _make_gaps()
        block, gap = _fitting(size) or _new(size)
        first, more = gap.first, gap.unwritten(size)
        memory = block.take(gap, size)
        use = Use(memory, _gone.append)
        use.block, use.first, use.end = block, first, first + size
        _uses[id(use)] = use
        _bytes["in use"] += size
        _bytes["most"] = max(_bytes["most"], _bytes["in use"])
        _bytes["written"] += more
        _give_back(_bytes["written"] - _bytes["most"] - _bytes["most"] // SHARE - SLACK)
    return memory[:length]


def _whole(length: int, unit: int) -> int:
    """`length`, rounded up to whole units."""
    return -(-length // unit) * unit


def _make_gaps() -> None:
    """Turn the places of arrays that are gone into gaps."""
    while _gone:
        use = _gone.popleft()
        if _uses.pop(id(use), None) is use:
            _bytes["in use"] -= use.end - use.first
            _bytes["written"] += use.block.put_back(use.first, use.end)


def _fitting(size: int) -> tuple[Block, Gap] | None:
    """A gap of `size` bytes or more: the one with the most of them written, and of those the smallest."""
    fit = [(gap.unwritten(size), gap.size, at, gap.first, gap) for at, block in enumerate(_blocks)
           for gap in block.gaps if gap.size >= size]  # fmt: skip
    if not fit:
        return None
    _, _, at, _, gap = min(fit)
    return _blocks[at], gap


def _new(size: int) -> tuple[Block, Gap]:
    """A new block with one gap."""
    for length in (max(BLOCK, _whole(size, LARGE_PAGE)), size):  # in a process with a limit, just what is needed
        try:
            block = Block(length)
        except OSError:
            continue
        _blocks.append(block)
        return block, block.gaps[0]
    raise MemoryError(f"no memory for {size:,} bytes")


def _give_back(excess: int) -> None:
    """Give back pages of gaps until `excess` bytes less are written, as far as possible.

    The smallest gaps go first; a block without any array goes whole.
    """
    if excess <= 0:
        return
    gaps = [(gap.written, at, gap.first, gap) for at, block in enumerate(_blocks)
            for gap in block.gaps if gap.written]  # fmt: skip
    empty_blocks = []
    for count, at, _, gap in sorted(gaps):
        if excess <= 0:
            break
        block = _blocks[at]
        if gap.size == block.size:
            empty_blocks.append(block)
        else:
            block.give_back(gap)
            count -= gap.written
        excess -= count
        _bytes["written"] -= count
    _blocks[:] = [block for block in _blocks if block not in empty_blocks]
