"""From pixels to what a network wants to see. Part of a model's description, so training and predicting cannot differ.

A model applies its preprocessing to images of whole numbers (uint8): those are pixels. Floats it takes as they are.
"""

import functools

import numpy as np

from minitorch_cnn.arrays import accelerated, namespace, on_host
from minitorch_cnn.errors import ArgumentError, ShapeError


@accelerated
def standardize(images, scale, shift):
    """images * scale + shift for each channel, in the type of the numbers `scale` and `shift` (C,)."""
    result = images.astype(scale.dtype)
    result *= scale
    result += shift
    return result


@functools.cache
def _constants(xp, dtype, *rows):
    """Each of the tuples of numbers as an array of `xp`, made once: a captured step on a GPU can upload nothing."""
    return [xp.asarray(row, dtype=dtype) for row in rows]


class Standardize:
    """(pixel - mean) / std for each channel, in units of 0 to 255."""

    def __init__(self, mean, std):
        self.mean, self.std = [float(m) for m in mean], [float(s) for s in std]

    @classmethod
    def of(cls, images):
        """The mean and standard deviation of `images` (N, H, W, C); channels that never vary are divided by 1."""
        pixels = on_host(images).reshape(-1, images.shape[-1])
        std = pixels.std(axis=0, dtype=np.float64)
        return cls(pixels.mean(axis=0, dtype=np.float64), np.where(std > 0, std, 1.0))

    def __call__(self, images, dtype="float32"):
        """Images (N, H, W, C) in floats."""
        scale = [1 / s for s in self.std]
        shift = [-m / s for m, s in zip(self.mean, self.std)]
        return standardize(images, *_constants(namespace(images), np.dtype(dtype), tuple(scale), tuple(shift)))

    def config(self):
        return {"kind": "standardize", "mean": self.mean, "std": self.std}


class Unit:
    """pixel / 255: numbers from 0 to 1."""

    def __call__(self, images, dtype="float32"):
        """Images (N, H, W, C) in floats."""
        return images.astype(dtype) / np.dtype(dtype).type(255)

    def config(self):
        return {"kind": "unit"}


class Caffe:
    """RGB to BGR, then minus ImageNet's mean of each channel, no scaling: what the VGG networks were trained on."""

    MEAN_BGR = (103.939, 116.779, 123.68)

    def __call__(self, images, dtype="float32"):
        """Images (N, H, W, 3) RGB as BGR floats; ShapeError for another number of channels."""
        if images.shape[-1] != len(self.MEAN_BGR):
            raise ShapeError(f"preprocessing: expected colour images (N, H, W, 3), got {tuple(images.shape)}")
        (mean,) = _constants(namespace(images), np.dtype(dtype), self.MEAN_BGR)
        return images[..., ::-1].astype(dtype) - mean

    def config(self):
        return {"kind": "caffe"}


KINDS = {"standardize": Standardize, "unit": Unit, "caffe": Caffe}


def from_config(config):
    """The preprocessing that `config()` described; None for None."""
    if config is None:
        return None
    arguments = dict(config)
    kind = arguments.pop("kind", None)
    if kind not in KINDS:
        raise ArgumentError(f"preprocessing: expected one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](**arguments)
