"""Preprocessing: from pixels to a network's input. It is part of the model, so training and prediction use the same.

A model applies its preprocessing to uint8 images, which are pixels, and uses floating-point images unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.arrays import Array, accelerated, namespace, on_host
from minitorch_cnn.errors import ArgumentError, ShapeError


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


class Standardize:
    """(pixel - mean) / std for each channel, where `mean` and `std` (C,) are in units of 0 to 255."""

    def __init__(self, mean: Iterable[float], std: Iterable[float]) -> None:
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]

    @classmethod
    def of(cls, images: Array) -> Standardize:
        """A Standardize with the mean and deviation of `images` (N, H, W, C); constant channels get std 1."""
        pixels = on_host(images).reshape(-1, images.shape[-1])
        std = pixels.std(axis=0, dtype=np.float64)
        return cls(pixels.mean(axis=0, dtype=np.float64), np.where(std > 0, std, 1.0))

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """The preprocessed images (N, H, W, C) in `dtype`."""
        scale = [1 / s for s in self.std]
        shift = [-m / s for m, s in zip(self.mean, self.std)]
        return standardize(images, *_constants(namespace(images), np.dtype(dtype), tuple(scale), tuple(shift)))

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "standardize", "mean": self.mean, "std": self.std}


class Unit:
    """pixel / 255, which gives numbers from 0 to 1."""

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """The preprocessed images (N, H, W, C) in `dtype`."""
        return images.astype(dtype) / np.dtype(dtype).type(255)

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "unit"}


class Caffe:
    """RGB to BGR, minus ImageNet's mean of each channel, without scaling, as the VGG networks were trained."""

    MEAN_BGR = (103.939, 116.779, 123.68)

    def __call__(self, images: Array, dtype: str = "float32") -> Array:
        """RGB images (N, H, W, 3) as BGR of `dtype`; raises ShapeError for another number of channels."""
        if images.shape[-1] != len(self.MEAN_BGR):
            raise ShapeError(f"preprocessing: expected colour images (N, H, W, 3), got {tuple(images.shape)}")
        (mean,) = _constants(namespace(images), np.dtype(dtype), self.MEAN_BGR)
        return images[..., ::-1].astype(dtype) - mean

    def config(self) -> dict[str, Any]:
        """A description as plain values, from which `from_config` builds an equal object."""
        return {"kind": "caffe"}


Preprocessing: TypeAlias = Standardize | Unit | Caffe
KINDS: dict[str, type] = {"standardize": Standardize, "unit": Unit, "caffe": Caffe}


def from_config(config: dict[str, Any] | None) -> Preprocessing | None:
    """The preprocessing that `config()` describes; None for None. Raises ArgumentError for an unknown kind."""
    if config is None:
        return None
    arguments = dict(config)
    kind = arguments.pop("kind", None)
    if kind not in KINDS:
        raise ArgumentError(f"preprocessing: expected one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](**arguments)
