"""Image files as the input of a stored model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_cnn.datasets import load_image
from minitorch_cnn.errors import ArgumentError, require


def input_images(name: str | Path, model: Any, files: Sequence[str | Path]) -> np.ndarray:
    """The images (N, H, W, C) uint8 in `files`, resized to the input of `model`; grey ones if its input is grey.

    Raises ArgumentError, which begins with `name`, if the input is not an image of one or three channels; DataError for
    a file that `load_image` cannot read.
    """
    height, width, channels = image_shape(name, model)
    images = np.stack([load_image(path, height, width) for path in files])
    return images if channels == 3 else grey(images)


def image_shape(name: str | Path, model: Any) -> tuple[int, int, int]:
    """The shape (H, W, C) of the model's input; ArgumentError unless it is an image of one or three channels."""
    shape = tuple(model.input_shape)
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ArgumentError(f"{name}: its input is {shape}, expected (H, W, 3) or (H, W, 1) to see an image")
    return shape


def grey(images: np.ndarray) -> np.ndarray:
    """Grey images (N, H, W, 1) of coloured ones (N, H, W, 3)."""
    Image = require("PIL.Image", "making an image grey")
    return np.stack([np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in images])
