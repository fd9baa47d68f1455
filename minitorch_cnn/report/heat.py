"""Draws a heat map over a photo in colours that get lighter as the heat grows, so they are ordered even in grey."""

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError

# From violet through red to yellow; each is 16 to 19 units of lightness (CIE L*) lighter than the one before.
COLOURS = ("#20104d", "#6a1d74", "#b93a5c", "#ee7a35", "#f8b93a", "#fcf3a4")
# The opacity of the colour where the heat is 0 and where it is 1.
COVER = (0.5, 0.75)


def heat_colours(heat: np.ndarray) -> np.ndarray:
    """The colours `(..., 3)`, floats from 0 to 255, of heat `(...)`, 0 to 1, interpolated in `COLOURS`."""
    scale = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in COLOURS], float)
    places = np.linspace(0, 1, len(scale))
    return np.stack([np.interp(heat, places, scale[:, channel]) for channel in range(3)], axis=-1)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A photo with a heat map over it, uint8 `(H, W, 3)`.

    The photo is converted to grey first, so every colour in the result shows heat. Arguments: `image`, uint8
    `(H, W, 3)`, or `(H, W)` or `(H, W, 1)` in shades of grey; `heat`, `(H, W)`, 0 to 1, where NaN counts as 0. Raises
    ArgumentError when the image is not uint8, and ShapeError when a shape does not fit.
    """
    image, heat = np.asarray(image), np.asarray(heat, float)
    if image.dtype != np.uint8:
        raise ArgumentError(f"image: expected whole numbers 0 to 255 as uint8, got {image.dtype}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ShapeError(f"image: expected (H, W) or (H, W, 3), got {image.shape}")
    if heat.shape != image.shape[:2]:
        raise ShapeError(f"heat: expected {image.shape[:2]} like the image, got {heat.shape}")
    heat = np.clip(np.nan_to_num(heat, nan=0.0), 0, 1)
    shares = np.array([0.299, 0.587, 0.114]) if image.shape[2] == 3 else np.ones(1)
    grey = (image @ shares)[:, :, None]
    cover = (COVER[0] + (COVER[1] - COVER[0]) * heat)[:, :, None]
    return np.round((1 - cover) * grey + cover * heat_colours(heat)).astype(np.uint8)
