"""Draws gradients: numbers with a sign as colours, blue above zero, orange below, the paler the smaller."""

import numpy as np

POSITIVE, NEGATIVE, ZERO = (0x1D, 0x5F, 0xBF), (0xC8, 0x6A, 0x12), (0xF2, 0xF3, 0xF5)


def signed_colours(shares: np.ndarray) -> np.ndarray:
    """The colours `(..., 3)`, uint8, of numbers `(...)` from -1 to 1.

    The strength of a colour grows with the square root of the number, because most gradients are far smaller than the
    largest one and would all look like zero.
    """
    shares = np.clip(np.nan_to_num(shares), -1, 1)
    strength = np.sqrt(np.abs(shares))[..., None]
    ink = np.where(shares[..., None] < 0, NEGATIVE, POSITIVE)
    return np.round((1 - strength) * np.array(ZERO) + strength * ink).astype(np.uint8)


def strongest(array: np.ndarray, size: int) -> np.ndarray:
    """An array `(h, w, C)` reduced to blocks of `size` by `size`: of each, the number farthest from zero.

    Every n-th pixel alone would miss most of a gradient that a pool has sent to one pixel of each window.
    """
    if size == 1:
        return array
    h, w, C = array.shape
    padded = np.pad(array, ((0, -h % size), (0, -w % size), (0, 0)))
    blocks = padded.reshape(-(-h // size), size, -(-w // size), size, C).transpose(0, 2, 4, 1, 3)
    blocks = blocks.reshape(*blocks.shape[:3], size * size)
    return np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]
