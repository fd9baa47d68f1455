"""Brings the operands of a compiled twin into the form that it needs in memory."""

from typing import Any

import numpy as np


def one_type(*arrays: Any) -> list[np.ndarray]:
    """The arrays C-contiguous and of one dtype, as NumPy would promote them: compiled code converts nothing."""
    dtype = np.result_type(*arrays)
    return [np.ascontiguousarray(array, dtype) for array in arrays]
