"""Preprocessing: from pixels to a network's input. It is part of the model, so training and prediction use the same.

A model applies its preprocessing to images of integers, which are pixels, and uses floating-point images unchanged.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.arguments import as_array, shown
from minitorch_cnn.arrays import Array, accelerated, namespace, on_host
from minitorch_cnn.errors import ArgumentError, ShapeError
from minitorch_cnn.files.printable import counted

AT_ONCE = 1 << 16  # pixels
DARKEST = 16  # preprocessed images hardly ever hold larger numbers, and photos hardly ever none
LARGEST = 1e30  # of the numbers that pixels are multiplied by and shifted by; float32 ends at 3e38

_thread = threading.local()


def are_pixels(images: Array) -> bool:
    """Whether images (N, ...) hold pixels: numbers of any integer type."""
    return images.dtype.kind in "iu"


def warn_of_pixels(images: Array) -> None:
    """Warn if floats (N, ...), which a model with a preprocessing takes as they are, look like pixels up to 255."""
    if getattr(_thread, "received", False):
        return
    if images.dtype.kind == "f" and images.size and images.min() >= 0 and DARKEST < images.max() <= 255:
        warnings.warn(
            "expected pixels as integers, or floats that are preprocessed already, got floats that look like pixels of"
            " 0 to 255; they are used as they are, without the model's preprocessing",
            stacklevel=2,
        )


@contextlib.contextmanager
def received_already() -> Iterator[None]:
    """Context in which this thread gives models what `receive` has made: bright photos still look like pixels then."""
    before = getattr(_thread, "received", False)
    _thread.received = True
    try:
        yield
    finally:
        _thread.received = before


@accelerated
def standardize(images: Array, scale: Array, shift: Array) -> Array:
    """Images (..., C) * scale (C,) + shift (C,) for each channel, in the dtype of `scale` and `shift`."""
    result = images.astype(scale.dtype)
    result *= scale
    result += shift
    return result


@functools.cache
def _constants(xp, dtype, *rows):
    """Each tuple as an array of `xp`, cached because a captured step on a GPU cannot upload arrays."""
    return [xp.asarray(row, dtype=dtype) for row in rows]


def _numbers(name, values):
    """`values` as a list of floats; raises ArgumentError unless they are finite numbers."""
    try:
        rows = list(values)
        if any(isinstance(value, (str, bytes, bool, np.bool_)) for value in rows):
            raise TypeError
        numbers = [float(value) for value in rows]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        got = f"{numbers}" if numbers else "something else"
        raise ArgumentError(f"preprocessing: {name}: expected a finite number for each channel, got {got:.60}")
    return numbers


class Standardize:
    """(pixel - mean) / std for each channel, where `mean` and `std` (C,) are in units of 0 to 255.

    Raises ArgumentError unless both are finite numbers, as many of one as of the other, and each std is above 0.
    """

    def __init__(self, mean: Iterable[float], std: Iterable[float]) -> None:
        self.mean, self.std = _numbers("mean", mean), _numbers("std", std)
        if len(self.mean) != len(self.std):
            raise ArgumentError(
                f"preprocessing: expected a mean and an std for each channel, got {len(self.mean)} and {len(self.std)}"
            )
        for mean_of_one, std_of_one in zip(self.mean, self.std):
            if max(1, abs(mean_of_one)) > LARGEST * std_of_one:  # also an std of 0 or less
                raise ArgumentError(
                    f"preprocessing: std: expected a number above 0, with mean / std at most {LARGEST:g}, got mean "
                    f"{mean_of_one:g}, std {std_of_one:g}"
                )

    @classmethod
    def of(cls, images: Array) -> Standardize:
        """A Standardize with the mean and deviation of `images` (N, H, W, C); constant channels get std 1.

        Both are computed in float64, a part of the pixels at a time, because a copy of all would be eight times larger.
        ArgumentError for anything but images of real, finite numbers.
        """
        images = as_array(images, "Standardize.of")
        shape, dtype = tuple(getattr(images, "shape", ())), getattr(images, "dtype", None)
        if dtype is None or dtype.kind not in "fiub" or len(shape) < 2 or 0 in shape:
            got = type(images).__name__ if dtype is None else f"{dtype} {shape}"
            raise ArgumentError(f"Standardize.of: expected images (N, H, W, C) of real numbers, got {got}")
        pixels = on_host(images).reshape(-1, images.shape[-1])
        parts = [pixels[start : start + AT_ONCE] for start in range(0, len(pixels), AT_ONCE)]
        mean = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / len(pixels)
        std = np.sqrt(sum(((part - mean) ** 2).sum(axis=0) for part in parts) / len(pixels))
        return cls(mean, np.where(std > 0, std, 1.0))

    def check_input(self, shape: tuple) -> None:
        """Raise ShapeError unless the last axis of `shape` has as many channels as `mean`."""
        if shape[-1] != len(self.mean):
            raise ShapeError(
                f"preprocessing: expected images of {counted(len(self.mean), 'channel')}, got {tuple(shape)}"
            )

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """The preprocessed images (N, H, W, C) in `dtype`; raises ShapeError for another number of channels."""
        self.check_input(images.shape)
        scale = [1 / s for s in self.std]
        shift = [-m / s for m, s in zip(self.mean, self.std)]
        return standardize(images, *_constants(namespace(images), np.dtype(dtype), tuple(scale), tuple(shift)))

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "standardize", "mean": self.mean, "std": self.std}


class Unit:
    """pixel / 255, which gives numbers from 0 to 1."""

    def check_input(self, shape: tuple) -> None:
        """Every shape is accepted."""

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """The preprocessed images (N, H, W, C) in `dtype`."""
        return images.astype(dtype) / np.dtype(dtype).type(255)

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "unit"}


class Caffe:
    """RGB to BGR, minus ImageNet's mean of each channel, without scaling, as the VGG networks were trained."""

    MEAN_BGR = (103.939, 116.779, 123.68)

    def check_input(self, shape: tuple) -> None:
        """Raise ShapeError unless `shape` ends with three channels."""
        if shape[-1] != len(self.MEAN_BGR):
            raise ShapeError(f"preprocessing: expected colour images (H, W, 3), got {tuple(shape)}")

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """RGB images (N, H, W, 3) as BGR of `dtype`; raises ShapeError for another number of channels."""
        self.check_input(images.shape)
        (mean,) = _constants(namespace(images), np.dtype(dtype), self.MEAN_BGR)
        return images[..., ::-1].astype(dtype) - mean

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "caffe"}


IMAGENET = [255 * each for each in (0.485, 0.456, 0.406)], [255 * each for each in (0.229, 0.224, 0.225)]

Preprocessing: TypeAlias = Standardize | Unit | Caffe
KINDS: dict[str, type] = {"standardize": Standardize, "unit": Unit, "caffe": Caffe}


def checked(preprocessing: Any) -> Any:
    """`preprocessing`, an object that is called with images, or None; ArgumentError for anything else."""
    if preprocessing is not None and (isinstance(preprocessing, type) or not callable(preprocessing)):
        expected = "expected an object such as datasets.Standardize(...)"
        raise ArgumentError(f"preprocessing: {expected}, got {shown(preprocessing)}")
    return preprocessing


def from_config(config: dict[str, Any] | None) -> Preprocessing | None:
    """The preprocessing that `config()` describes; None for None. Raises ArgumentError if it describes none."""
    if config is None:
        return None
    kind = config.get("kind") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ArgumentError(f"preprocessing: expected one of {', '.join(KINDS)}, got {kind!r:.60}")
    try:
        return KINDS[kind](**{name: value for name, value in config.items() if name != "kind"})
    except TypeError:
        raise ArgumentError(
            f"preprocessing: {kind}: expected other arguments than {', '.join(map(str, config))[:60]}"
        ) from None


def from_words(words: str) -> Preprocessing | None:
    """The preprocessing of colour images that `words` stand for: those of Keras's networks, or numbers.

    "caffe" is `Caffe`; "tf" is pixels from -1 to 1; "torch" is minus ImageNet's mean, over its deviation; "unit" is
    pixels from 0 to 1; "none" is pixels from 0 to 255; "127/128" is (pixel - 127) / 128, and three numbers with commas
    on both sides are those of red, green and blue. Raises ArgumentError for other words.
    """
    kinds = {
        "none": lambda: None,
        "caffe": Caffe,
        "unit": Unit,
        "tf": lambda: Standardize([127.5] * 3, [127.5] * 3),
        "torch": lambda: Standardize(*IMAGENET),
    }
    if words in kinds:
        return kinds[words]()
    sides = [side.split(",") for side in words.split("/")]
    if len(sides) != 2 or any(len(side) not in (1, 3) for side in sides):
        known = ", ".join(kinds)
        raise ArgumentError(f"preprocessing: expected {known} or MEAN/DEVIATION, as in 127/128, got {words!r:.60}")
    try:
        mean, deviation = ([float(each) for each in side] * (3 // len(side)) for side in sides)
    except ValueError:
        raise ArgumentError(f"preprocessing: expected numbers as in 127/128, got {words!r:.60}") from None
    return Standardize(mean, deviation)
