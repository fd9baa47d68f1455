"""Scratch memory that is allocated once and reused, because new memory costs a page fault every 4 KiB."""

import math
import threading
from typing import Any

import numpy as np

from minitorch_cnn.arrays.memory import empty

_kept = threading.local()


def workspace(name: str, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of `shape` with undefined contents; calls with the same `name` in a thread share the memory.

    It is valid until the next call with that name. The memory grows to the largest shape requested.
    """
    arrays = _kept.__dict__.setdefault("arrays", {})
    elements = shape if isinstance(shape, int) else math.prod(shape)
    kept = arrays.get((name, np.dtype(dtype)))
    if kept is None or kept.size < elements:
        kept = arrays[name, np.dtype(dtype)] = empty(elements, dtype)
    return kept[:elements].reshape(shape)
