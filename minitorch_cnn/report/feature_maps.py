"""Draws feature maps as pictures: the activations of one image in the channels that vary most, and their gradients."""

from collections.abc import Mapping, Sequence

import numpy as np

from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report.heat import heat_colours
from minitorch_cnn.report.pictures import tiles_uri
from minitorch_cnn.report.signed import signed_colours, strongest
from minitorch_cnn.report.svg import Drawing, element

TILE, GAP = 96, 6
LEVELS = 63  # steps of a colour scale; more would not be seen and would make the pictures larger


def most_varied(feature_map: np.ndarray, most: int) -> np.ndarray:
    """The indices, in ascending order, of the `most` channels of a map `(h, w, C)` that vary most."""
    spread = np.nan_to_num(feature_map.reshape(-1, feature_map.shape[2]).std(axis=0))
    return np.sort(np.argsort(-spread, kind="stable")[:most])


def feature_map_grid(
    feature_map: np.ndarray, channels: Sequence[int] | np.ndarray, columns: int = 4, most: int = 2 * TILE
) -> np.ndarray:
    """The chosen channels of a map `(h, w, C)` as tiles, each from its smallest (dark) to its largest (light).

    A tile has at most `most` pixels a side. The result is uint8 `(rows, columns, 4)` in pixels with transparent gaps.
    Raises ShapeError for an array that is not a feature map.
    """
    feature_map = np.nan_to_num(np.asarray(feature_map, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if feature_map.ndim != 3 or feature_map.size == 0:
        raise ShapeError(f"feature map: expected (h, w, C), got {feature_map.shape}")
    h, w, _ = feature_map.shape
    # Small maps are magnified by a whole number (`tiled`); of large maps only every n-th pixel is kept.
    thin = thinning(h, w, most)
    tiles = feature_map[::thin, ::thin][:, :, list(channels)]
    low = tiles.min(axis=(0, 1))
    span = tiles.max(axis=(0, 1)) - low
    shares = np.round(LEVELS * (tiles - low) / np.where(span > 0, span, 1)) / LEVELS
    return tiled(np.round(heat_colours(shares)).astype(np.uint8), columns)


def gradient_grid(
    gradient: np.ndarray, channels: Sequence[int] | np.ndarray, columns: int = 4, most: int = 2 * TILE
) -> np.ndarray:
    """The chosen channels of a gradient `(h, w, C)` as tiles in the colours of `signed_colours`, each by its largest.

    The result is as large as that of `feature_map_grid`; ShapeError for an array of another kind.
    """
    gradient = np.nan_to_num(np.asarray(gradient, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if gradient.ndim != 3 or gradient.size == 0:
        raise ShapeError(f"gradient: expected (h, w, C), got {gradient.shape}")
    h, w, _ = gradient.shape
    tiles = strongest(gradient[:, :, list(channels)], thinning(h, w, most))
    largest = np.abs(tiles).max(axis=(0, 1))
    shares = np.round(LEVELS * (tiles / np.where(largest > 0, largest, 1))) / LEVELS
    return tiled(signed_colours(shares), columns)


def thinning(h: int, w: int, most: int) -> int:
    """How many pixels a side become one pixel of a tile, so that no tile has more than `most` pixels a side."""
    return -(-max(h, w) // most)


def tiled(shades: np.ndarray, columns: int) -> np.ndarray:
    """Colours `(h, w, channels, 3)` as tiles side by side, uint8 `(rows, columns, 4)` with transparent gaps."""
    magnify, count = max(1, round(TILE / max(shades.shape[:2]))), shades.shape[2]
    shades = shades.repeat(magnify, axis=0).repeat(magnify, axis=1)
    height, width = shades.shape[:2]
    columns = min(columns, count)
    rows = -(-count // columns)
    grid = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 4), np.uint8)
    for index in range(count):
        y, x = index // columns * (height + GAP), index % columns * (width + GAP)
        grid[y : y + height, x : x + width, :3] = shades[:, :, index]
        grid[y : y + height, x : x + width, 3] = 255
    return grid


def draw_feature_maps(
    maps: Mapping[str, np.ndarray],
    most: int = 8,
    columns: int = 4,
    gradients: Mapping[str, np.ndarray] | None = None,
) -> Drawing:
    """Draws a figure for each layer with its name, its size and the channels that vary most.

    Arguments: `maps`, the feature map `(h, w, C)` of one image by name of the layer; `most`, the number of channels to
    show of each layer; `columns`, the number of tiles in a row; `gradients`, dL/d(map) by name of the layer, drawn
    below the tiles of the map. Returns HTML; the pages' CSS class `beside` places the figures side by side.
    """
    figures = []
    for name, feature_map in maps.items():
        feature_map = np.asarray(feature_map)
        channels = most_varied(feature_map, most) if feature_map.ndim == 3 else np.zeros(0, int)
        size = TILE if gradients else 2 * TILE  # twice as many tiles, of half the size
        grid = feature_map_grid(feature_map, channels, columns, size)
        h, w, C = feature_map.shape
        words = f"{name}: the {len(channels)} most varied of {C} feature maps, {h}×{w} each; light is a high value"
        parts = [element("figcaption", f"{name}, {h}×{w}×{C}"), draw_tiles(grid, words)]
        if gradients and name in gradients:
            gradient = np.asarray(gradients[name])
            words = f"{name}: the gradients of these maps; blue is above zero, orange below"
            parts.append(draw_tiles(gradient_grid(gradient, channels, columns, size), words))
            low, high = (float(extreme(gradient[:, :, channels])) for extreme in (np.min, np.max))
            parts.append(element("p", f"dL/dmap: {low:.2e} to {high:.2e}", class_="range"))
        figures.append(element("figure", *parts))
    return Drawing("".join(figures))


def draw_tiles(grid: np.ndarray, words: str) -> Drawing:
    """A grid of tiles `(H, W, 4)` as an `<img>`, which `words` describe."""
    look = {"style": "image-rendering:pixelated;max-width:100%;height:auto"}
    return element("img", src=tiles_uri(grid), alt=words, width=grid.shape[1], height=grid.shape[0], **look)
