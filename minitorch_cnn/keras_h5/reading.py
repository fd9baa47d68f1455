"""From a plan to arrays: the only place where weights themselves are read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minitorch_cnn.errors import ArgumentError, WeightsError
from minitorch_cnn.keras_h5.conventions import Choices
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.mapping import LayerPlan, Source
from minitorch_cnn.keras_h5.stored import StoredLayer

CHOICES = {
    "kernels": (None, "theano", "tensorflow"),
    "dim_ordering": (None, "th", "tf"),
    "flatten_order": (None, "channels_first", "channels_last"),
    "running_std": (None, "standard_deviation", "variance"),
}
DTYPES = ("float32", "float64")

# A file read without a model has no shapes to be held against: this bounds what compression, or one array under many
# names, may add to its size.
MOST_UNFOLDED = 64 * 2**20
MOST_UNFOLDED_RATIO = 4


def checked_choices(**given: str | None) -> Choices:
    """The user's word on a file, refused if it means nothing; the fields of `Choices` by name."""
    for name, value in given.items():
        if value not in CHOICES[name]:
            allowed = ", ".join(repr(choice) for choice in CHOICES[name])
            raise ArgumentError(f"{name}: expected one of {allowed}, got {value!r}")
    return Choices(**given)


def checked_dtype(dtype: object) -> np.dtype:
    """float32 or float64."""
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked is None or checked.name not in DTYPES:
        raise ArgumentError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    return checked


def read_layer(plan: LayerPlan, dtype: np.dtype, allow_nonfinite: bool) -> dict[str, np.ndarray]:
    """The weights of one layer in our layout; raises WeightsError for NaN and infinities unless they are allowed."""
    arrays = {name: read_source(source, dtype) for name, source in plan.sources.items()}
    if not allow_nonfinite:
        for name, array in arrays.items():
            if not is_finite(array):
                raise WeightsError(not_finite_message(plan.stored, name))
    return arrays


def not_finite_message(layer: StoredLayer, name: str) -> str:
    """What is said of NaN and infinities."""
    return (
        f"the file's {shown(layer.label)} has NaN or infinite values in its {shown(name)};"
        " allow_nonfinite=True loads them all the same"
    )


def read_source(source: Source, dtype: np.dtype) -> np.ndarray:
    """One array in our layout and precision. A float32 array that already has our layout is read without a copy."""
    try:
        stored = source.weight.dataset.read()
    except WeightsError as error:
        raise WeightsError(f"{shown(source.weight.name)}: {error}") from None
    with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, which is reported as such
        return source.layout.apply(stored).astype(dtype, copy=False)


def is_finite(array: np.ndarray) -> bool:
    """Whether no value is NaN or infinite; the two extremes tell, without a second array of the same size."""
    return array.size == 0 or bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def check_unfolded_size(datasets: Iterable, file_size: int) -> None:
    """Raise WeightsError if the arrays would unfold to far more than their file."""
    unfolded = sum(dataset.declared_bytes() for dataset in datasets)
    if unfolded > MOST_UNFOLDED + MOST_UNFOLDED_RATIO * file_size:
        raise WeightsError(f"its arrays would unfold to {unfolded:,} bytes; give the model to check them against")
