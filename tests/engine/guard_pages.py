"""Memory between forbidden pages: whoever reads or writes beyond such an array ends with a segmentation fault.

    guarded(x)                 a copy of x that ends where a forbidden page begins
    with guarded_results():    np.empty, np.zeros and np.empty_like allocate such memory too, np.empty full of NaN

The rest of the first page before an array is full of NaN, which shows in a result that was computed from it.
"""

import contextlib
import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE
FORBIDDEN = 0  # PROT_NONE
protect = ctypes.CDLL(None, use_errno=True).mprotect


def room(count):
    """`count` bytes before a forbidden page, as an array of uint8 that keeps the memory alive."""
    pages = -(-count // PAGE)
    memory = np.frombuffer(mmap.mmap(-1, (pages + 2) * PAGE), np.uint8)
    memory[PAGE:-PAGE] = 0xFF  # the bytes of a NaN
    start = memory.ctypes.data
    for page in (start, start + (pages + 1) * PAGE):
        assert protect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), FORBIDDEN) == 0
    end = (pages + 1) * PAGE
    return memory[end - count : end]


def guarded(array):
    """A copy of an array in such memory, C-contiguous; an ordinary copy if it holds Python objects."""
    if array.dtype.hasobject:
        return array.copy()
    copy = room(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@contextlib.contextmanager
def guarded_results():
    """Inside this context, new arrays lie between forbidden pages; those of np.empty are full of NaN, or of 255."""
    originals = {name: getattr(np, name) for name in ("empty", "zeros", "empty_like")}

    def empty(shape, dtype=float, order="C", **options):
        dtype = np.dtype(dtype)
        if dtype.hasobject or order != "C" or options:
            return originals["empty"](shape, dtype, order, **options)
        shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
        return room(int(np.prod(shape, dtype=object)) * dtype.itemsize).view(dtype).reshape(shape)

    def zeros(shape, dtype=float, order="C", **options):
        array = empty(shape, dtype, order, **options)
        array[...] = 0
        return array

    def empty_like(prototype, dtype=None, order="K", **options):
        if options or not prototype.flags.c_contiguous:
            return originals["empty_like"](prototype, dtype, order, **options)
        return empty(prototype.shape, dtype or prototype.dtype)

    np.empty, np.zeros, np.empty_like = empty, zeros, empty_like
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(np, name, original)
