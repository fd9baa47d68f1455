"""Cutout: a square of each image is painted over, so that no single place decides (DeVries and Taylor 2017)."""

import numpy as np

from minitorch_cnn.arrays import Array, moved, namespace
from minitorch_cnn.datasets.affine import rounding


def cut_out(images: Array, centres: np.ndarray, part: float) -> Array:
    """Paint a square of each image (N, H, W, C) with the image's mean colour; returns an array like `images`.

    Arguments: `centres` (N, 2) from 0 to below 1, where in the image the square's centre lies, down and to the right,
    so a part of the square may lie outside; `part` the square's side as a fraction of the shorter side of the image.
    """
    xp, (N, H, W, _) = namespace(images), images.shape
    side = round(part * min(H, W))
    if side == 0 or N == 0:
        return images
    corners = moved((centres * [H, W]).astype(np.int64) - side // 2, xp)  # of each square, the upper left one
    rows, columns = xp.arange(H) - corners[:, :1], xp.arange(W) - corners[:, 1:]  # (N, H), (N, W) from there
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    colour = (images.mean(axis=(1, 2), dtype=np.float32) + rounding(images.dtype)).astype(images.dtype)
    return xp.where(inside[..., None], colour[:, None, None, :], images)
