"""Scratch memory that is allocated once and reused, because new memory costs a page fault every 4 KiB."""

import math
import threading
from typing import Any

import numpy as np

LINE = 64  # bytes of a cache line
_kept = threading.local()


def workspace(name: str, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of `shape` with undefined contents; calls with the same `name` in a thread share the memory.

    It is valid until the next call with that name. The memory grows to the largest shape requested.
    """
    arrays = _kept.__dict__.setdefault("arrays", {})
    elements = shape if isinstance(shape, int) else math.prod(shape)
    kept = arrays.get((name, np.dtype(dtype)))
    if kept is None or kept.size < elements:
        kept = arrays[name, np.dtype(dtype)] = aligned(elements, dtype)
    return kept[:elements].reshape(shape)


def aligned(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of `shape` with undefined contents that begins where a cache line does: no vector in it lies in two."""
    length = (shape if isinstance(shape, int) else math.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(length + LINE, np.uint8)
    first = LINE - memory.ctypes.data % LINE
    return memory[first : first + length].view(dtype).reshape(shape)
