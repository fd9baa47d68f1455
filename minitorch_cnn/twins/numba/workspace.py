"""Scratch memory that is allocated once and used again: fresh memory costs a page fault every 4 KiB."""

import threading

import numpy as np

_kept = threading.local()


def workspace(name, shape, dtype):
    """An array of `shape` with undefined contents, the same memory at every call with this `name` in this thread.

    Valid until the next call with the same name; it grows to the largest shape asked for.
    """
    arrays = _kept.__dict__.setdefault("arrays", {})
    elements = int(np.prod(shape))
    kept = arrays.get((name, np.dtype(dtype)))
    if kept is None or kept.size < elements:
        kept = arrays[name, np.dtype(dtype)] = np.empty(elements, dtype)
    return kept[:elements].reshape(shape)
