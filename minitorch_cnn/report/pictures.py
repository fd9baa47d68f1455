"""Turns arrays into pictures inside a page: data URIs, and the filters of the first layer as a grid of tiles."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_cnn.errors import ArgumentError, ShapeError, require
from minitorch_cnn.report.svg import Drawing, element

if TYPE_CHECKING:
    from PIL import Image

LARGEST_EXACT = 64  # pixels a side; images up to this size are stored as PNG, which keeps every pixel
LARGEST_PHOTO = 192  # pixels a side; larger images are reduced to this size and stored as JPEG
PURPOSE = "drawing the pictures of a report"


def check_image(image: np.ndarray) -> np.ndarray:
    """The image in a form that Pillow accepts: uint8 of shape `(H, W)`, `(H, W, 3)` or `(H, W, 4)`.

    Raises ArgumentError when the dtype is not uint8 and ShapeError when the shape is not that of an image.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ArgumentError(f"image: expected whole numbers 0 to 255 as uint8, got {image.dtype}")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise ShapeError(f"image: expected (H, W), (H, W, 3) or (H, W, 4), got {image.shape}")
    return image


def encoded(picture: Image.Image, kind: str, **options: Any) -> str:
    """A Pillow image as a data URI in the format `kind`, `"PNG"`, `"JPEG"` or `"WEBP"`."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_uri(image: np.ndarray) -> str:
    """A uint8 image `(H, W)`, `(H, W, 3)` or `(H, W, 4)` as a PNG data URI that keeps every pixel.

    Raises ArgumentError or ShapeError for any other array, as `check_image` does.
    """
    Image = require("PIL.Image", PURPOSE)
    return encoded(Image.fromarray(check_image(image)), "PNG", optimize=True)


def tiles_uri(tiles: np.ndarray) -> str:
    """A uint8 picture `(H, W, 4)` as a PNG data URI, with a palette if it has at most 256 colours: half the bytes."""
    colours, places = np.unique(np.ascontiguousarray(tiles).view(np.uint32)[:, :, 0], return_inverse=True)
    if len(colours) > 256:
        return png_uri(tiles)
    Image = require("PIL.Image", PURPOSE)
    picture = Image.fromarray(places.reshape(tiles.shape[:2]).astype(np.uint8), "P")
    picture.putpalette(colours.view(np.uint8).tobytes(), "RGBA")
    return encoded(picture, "PNG", optimize=True)


def photo_uri(image: np.ndarray) -> str:
    """An image as a JPEG data URI of at most 192 pixels a side: about 10 kB instead of 100."""
    Image = require("PIL.Image", PURPOSE)
    photo = Image.fromarray(check_image(image)).convert("RGB")
    photo.thumbnail((LARGEST_PHOTO, LARGEST_PHOTO))
    return encoded(photo, "JPEG", quality=86)


def thumbnail_uri(image: np.ndarray) -> str:
    """An image of at most 64 pixels a side in about 0.5 kB: a WebP, or a JPEG where Pillow has no WebP."""
    Image = require("PIL.Image", PURPOSE)
    features = require("PIL.features", PURPOSE)
    small = Image.fromarray(check_image(image)).convert("RGB")
    small.thumbnail((LARGEST_EXACT, LARGEST_EXACT))
    return encoded(small, "WEBP", quality=75) if features.check("webp") else encoded(small, "JPEG", quality=75)


def picture_uri(image: np.ndarray) -> str:
    """An image as a data URI: a PNG up to 64 pixels a side, a JPEG beyond."""
    image = check_image(image)
    return png_uri(image) if max(image.shape[:2]) <= LARGEST_EXACT else photo_uri(image)


def filter_grid(
    kernel: np.ndarray, columns: int = 8, magnify: int | None = None, largest: float | np.ndarray | None = None
) -> np.ndarray:
    """Convolution filters as one image of tiles: zero is grey, positive weights are brighter, negative darker.

    Arguments: `kernel` `(KH, KW, C, K)` with C = 3 (shown in colour) or 1; `columns`, the number of tiles in a row;
    `magnify`, the pixels per weight, by default enough to make a tile about 60 pixels wide; `largest`, the weight that
    is shown brightest, by default the largest of each filter.

    Returns uint8 `(rows, columns, 4)` in pixels; the gaps between the tiles are transparent. Raises ShapeError for a
    kernel of any other shape.
    """
    kernel = np.asarray(kernel, dtype=np.float32)
    if kernel.ndim != 4 or kernel.shape[2] not in (1, 3) or kernel.size == 0:
        raise ShapeError(f"filters: expected (KH, KW, 3, K) or (KH, KW, 1, K), got {kernel.shape}")
    height, width, _, count = kernel.shape
    magnify = magnify or max(1, round(60 / max(height, width)))
    kernel = np.nan_to_num(kernel, nan=0.0, posinf=0.0, neginf=0.0)
    if largest is None:
        largest = np.abs(kernel).max(axis=(0, 1, 2), keepdims=True)
    shares = np.clip(kernel / np.where(largest > 0, largest, 1), -1, 1)
    shades = np.round(127.5 + 127.5 * shares).astype(np.uint8)
    shades = np.broadcast_to(shades, (height, width, 3, count)).transpose(3, 0, 1, 2)
    tiles = shades.repeat(magnify, axis=1).repeat(magnify, axis=2)
    columns, gap = min(columns, count), 6
    down, across = height * magnify + gap, width * magnify + gap
    grid = np.zeros((-(-count // columns) * down - gap, columns * across - gap, 4), dtype=np.uint8)
    for index, tile in enumerate(tiles):
        y, x = index // columns * down, index % columns * across
        grid[y : y + height * magnify, x : x + width * magnify, :3] = tile
        grid[y : y + height * magnify, x : x + width * magnify, 3] = 255
    return grid


def draw_filters(
    kernel: np.ndarray,
    columns: int = 8,
    largest: float | np.ndarray | None = None,
    description: str = "The filters of the first layer",
) -> Drawing:
    """Draws the filters of a first layer as an `<img>`; arguments and errors as in `filter_grid`."""
    grid = filter_grid(kernel, columns, largest=largest)
    height, width, _, count = np.shape(kernel)
    words = f"{description}: {count} of {height}×{width} weights each, magnified"
    look = {"style": "image-rendering:pixelated;max-width:100%;height:auto"}
    return element("img", src=png_uri(grid), alt=words, width=grid.shape[1], height=grid.shape[0], **look)
