"""Brings the operands of a compiled twin into the form that it needs in memory."""

from typing import Any

import numpy as np


def contiguous(array: Any, dtype: Any = None) -> np.ndarray:
    """The array C-contiguous, of `dtype`, and writable, because Numba would compile a twin once more for any other."""
    array = np.ascontiguousarray(array, dtype)
    return array if array.flags.writeable else array.copy()


def one_type(*arrays: Any) -> list[np.ndarray]:
    """The arrays `contiguous` and of one dtype, as NumPy would promote them: compiled code converts nothing."""
    dtype = np.result_type(*arrays)
    return [contiguous(array, dtype) for array in arrays]
