"""Shapes: how many axes an array or an attribute has, and the length of each."""

from __future__ import annotations

from minitorch_cnn.errors import WeightsError
from minitorch_cnn.keras_h5.hdf5.window import Cursor

MOST_AXES = 32  # HDF5's own limit


def parse_dataspace(cursor: Cursor) -> tuple[int, ...] | None:
    """The shape: `()` for a single value, None for HDF5's "null" space, which holds no values at all."""
    version, axes = cursor.number(1), cursor.number(1)
    cursor.skip(1)  # whether the sizes are followed by maximum sizes
    if version == 1:
        cursor.skip(5)
    elif version == 2:
        if cursor.number(1) == 2:
            return None
    else:
        raise WeightsError(f"HDF5 dataspace version {version} is not supported")
    if axes > MOST_AXES:
        raise WeightsError(f"expected an array of at most {MOST_AXES} axes, got {axes}")
    return tuple(cursor.number(8) for _ in range(axes))
