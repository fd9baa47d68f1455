"""Short fingerprints of weights, which prove that loading a file changed the model's weights to the file's.

A classic bug is loading code that silently loads nothing (`layer.set_weights = [kernel, bias]` overwrites a method). To
find it, compare a layer's fingerprint before and after, or with the one that `inspect` prints for the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from minitorch_cnn.keras_h5.target import WEIGHT_ORDER

LENGTH = 12  # hexadecimal digits: two different layers agree with a probability of 1 in 2.8e14


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """The first twelve digits of a SHA-256 of a layer's weights; "-" for a layer without weights.

    Arguments: `arrays`, one layer's weights by name ("kernel", "bias", ...), in any order and in our layout. They are
    hashed as float32.
    """
    if not arrays:
        return "-"
    digest = hashlib.sha256()
    for name in sorted(arrays, key=_position):
        values = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:LENGTH]


def _position(name: str) -> tuple[int, str]:
    return (WEIGHT_ORDER.index(name) if name in WEIGHT_ORDER else len(WEIGHT_ORDER), name)
