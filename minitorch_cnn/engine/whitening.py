"""A first layer computed from the images: its filters make of every small patch numbers that are uncorrelated.

Neighbouring pixels are nearly alike, so almost all that varies in a patch is its brightness, and a network first has to
learn to look at the rest. The eigenvectors e_i of the patches' covariance are the directions in which they vary
independently, each with variance v_i. Filter i computes

    y_i = e_i . patch / sqrt(v_i + epsilon)

so all y_i have variance 1 and no two are correlated. A second set of filters, -e_i, follows, because an activation such
as ReLU lets only one sign through (Myrtle 2019, "How to train your ResNet"; Jordan 2024, arXiv:2404.00498).
"""

from typing import Any

import numpy as np

from minitorch_cnn.arguments import above_zero, as_array, check_floats, whole
from minitorch_cnn.arrays import Array, on_host
from minitorch_cnn.errors import ArgumentError, ShapeError

AT_ONCE = 1000  # images whose patches are laid out together


def whitening(images: Array, size: int = 2, epsilon: float = 5e-4) -> np.ndarray:
    """The kernel (size, size, C, 2 size^2 C) of a convolution that whitens the patches of `images` (N, H, W, C).

    Arguments: `images` as the network sees them, so preprocessed floats; `size` of the square window; `epsilon` added
    to each variance, so that directions in which patches hardly vary are not blown up. The most varying directions come
    first. Returns float64. Raises ShapeError for images of another shape or smaller than the window, and ArgumentError
    for integers, which are not preprocessed, or NaN or infinity.

        conv.parameters["kernel"] = initializers.whitening(model.receive(images[:5000]))
    """
    size, epsilon = whole(size, "whitening: size"), above_zero(epsilon, "whitening: epsilon")
    images = as_array(images, "whitening: images")
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or len(images) == 0 or min(shape[1:3]) < size:
        raise ShapeError(f"whitening: expected images (N, H, W, C) of at least {size}x{size} pixels, got {shape}")
    check_floats("whitening", images, "images")
    width = size * size * shape[3]
    count, total, squares = 0, np.zeros(width), np.zeros((width, width))
    for first in range(0, len(images), AT_ONCE):
        patches = _patches(on_host(images[first : first + AT_ONCE]), size)
        with np.errstate(all="ignore"):
            count, total, squares = count + len(patches), total + patches.sum(axis=0), squares + patches.T @ patches
    if not np.isfinite(squares).all():
        raise ArgumentError("whitening: expected images of finite numbers, got NaN, infinity or numbers too large")
    mean = total / count
    variances, directions = np.linalg.eigh(squares / count - np.outer(mean, mean))  # rising, one direction a column
    filters = (directions / np.sqrt(np.maximum(variances, 0) + epsilon))[:, ::-1]
    return np.concatenate([filters, -filters], axis=1).reshape(size, size, shape[3], 2 * width)


def _patches(images: np.ndarray, size: int) -> Any:
    """Every patch of the images as a row (size, size, C), float64."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))  # (N, OH, OW, C, size, size)
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * images.shape[3]).astype(np.float64)
