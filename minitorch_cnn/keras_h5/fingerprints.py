"""Short fingerprints of weights: the proof that a load changed the model, and into what.

Loading code that quietly loads nothing is a classic (`layer.set_weights = [kernel, bias]` overwrites a method). Compare
a layer's fingerprint before and after, or with the one that `inspect` prints for the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from minitorch_cnn.keras_h5.target import WEIGHT_ORDER

LENGTH = 12  # hexadecimal digits: two different layers agree by chance once in 280 million million times


def fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """The first digits of a SHA-256 over a layer's weights as float32 in our layout.

    Arguments:
        arrays: one layer's weights by name ("kernel", "bias", ...), in any order.

    Returns:
        Twelve hexadecimal digits, or "-" for a layer without weights.
    """
    if not arrays:
        return "-"
    digest = hashlib.sha256()
    for name in sorted(arrays, key=_position):
        values = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8))
    return digest.hexdigest()[:LENGTH]


def _position(name: str) -> tuple[int, str]:
    return (WEIGHT_ORDER.index(name) if name in WEIGHT_ORDER else len(WEIGHT_ORDER), name)
