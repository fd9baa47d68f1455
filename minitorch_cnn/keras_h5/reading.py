"""Reads the arrays of a plan; weights are read only in this module."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import DTypeLike

from minitorch_cnn.errors import ArgumentError, WeightsError
from minitorch_cnn.keras_h5.conventions import Choices
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.mapping import LayerPlan, Source
from minitorch_cnn.keras_h5.stored import Numbers, StoredLayer

CHOICES = {
    "kernels": (None, "theano", "tensorflow"),
    "dim_ordering": (None, "th", "tf"),
    "flatten_order": (None, "channels_first", "channels_last"),
    "running_std": (None, "standard_deviation", "variance"),
}
DTYPES = ("float32", "float64")

# Without a model there are no shapes to compare with, so these limits bound how much larger than its file the arrays
# may be, which can happen through compression or through many names for one array.
MOST_DECOMPRESSED = 64 * 2**20
MOST_DECOMPRESSED_RATIO = 4


def checked_choices(**given: str | None) -> Choices:
    """What the user stated about a file; raises ArgumentError for a value that is not in `CHOICES`."""
    for name, value in given.items():
        if value not in CHOICES[name]:
            allowed = ", ".join(repr(choice) for choice in CHOICES[name])
            raise ArgumentError(f"{name}: expected one of {allowed}, got {value!r}")
    return Choices(**given)


def checked_dtype(dtype: DTypeLike) -> np.dtype:
    """The dtype; raises ArgumentError unless it is float32 or float64."""
    checked: np.dtype | None
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked is None or checked.name not in DTYPES:
        raise ArgumentError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    return checked


def read_layer(plan: LayerPlan, dtype: np.dtype, allow_nonfinite: bool) -> dict[str, np.ndarray]:
    """One layer's weights in our layout; raises WeightsError for NaN and infinities unless they are allowed."""
    arrays = {name: read_source(source, dtype) for name, source in plan.sources.items()}
    if not allow_nonfinite:
        for name, array in arrays.items():
            if not is_finite(array):
                raise WeightsError(not_finite_message(plan.stored, name))
    return arrays


def not_finite_message(layer: StoredLayer, name: str) -> str:
    """The error message for NaN and infinities."""
    return (
        f"the file's {shown(layer.label)} has NaN or infinite values in its {shown(name)};"
        " in Python, allow_nonfinite=True loads them anyway"
    )


def read_source(source: Source, dtype: np.dtype) -> np.ndarray:
    """One array in our layout and precision, without a copy if it is stored in this form."""
    assert source.weight.dataset is not None  # a weight with a problem never becomes a source
    try:
        stored = source.weight.dataset.read()
    except WeightsError as error:
        raise WeightsError(f"{shown(source.weight.name)}: {error}") from None
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, which is reported later
        return source.layout.apply(stored).astype(dtype, copy=False)


def is_finite(array: np.ndarray) -> bool:
    """Whether all values are finite, judging by the two extremes, which needs no second array of that size."""
    return array.size == 0 or bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def check_decompressed_size(datasets: Iterable[Numbers], file_size: int) -> None:
    """Raise WeightsError if the arrays would be far larger than their file."""
    size = sum(dataset.declared_bytes() for dataset in datasets)
    if size > MOST_DECOMPRESSED + MOST_DECOMPRESSED_RATIO * file_size:
        raise WeightsError(f"its arrays would expand to {size:,} bytes; pass the model to check them against")
