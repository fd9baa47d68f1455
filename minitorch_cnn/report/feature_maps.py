"""Draws feature maps as pictures: the activations of one image in the channels that vary most."""

from collections.abc import Mapping, Sequence

import numpy as np

from minitorch_cnn.errors import ShapeError
from minitorch_cnn.report.heat import heat_colours
from minitorch_cnn.report.pictures import png_uri
from minitorch_cnn.report.svg import Drawing, element

TILE, GAP = 96, 6


def most_varied(feature_map: np.ndarray, most: int) -> np.ndarray:
    """The indices, in ascending order, of the `most` channels of a map `(h, w, C)` that vary most."""
    spread = np.nan_to_num(feature_map.reshape(-1, feature_map.shape[2]).std(axis=0))
    return np.sort(np.argsort(-spread, kind="stable")[:most])


def feature_map_grid(feature_map: np.ndarray, channels: Sequence[int] | np.ndarray, columns: int = 4) -> np.ndarray:
    """The chosen channels of a map `(h, w, C)` as tiles, each from its smallest (dark) to its largest (light).

    The result is uint8 `(rows, columns, 4)` in pixels with transparent gaps. Raises ShapeError for an array that is not
    a feature map.
    """
    feature_map = np.nan_to_num(np.asarray(feature_map, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if feature_map.ndim != 3 or feature_map.size == 0:
        raise ShapeError(f"feature map: expected (h, w, C), got {feature_map.shape}")
    h, w, _ = feature_map.shape
    # Small maps are magnified by a whole number; of large maps only every n-th pixel is kept.
    magnify, thin = max(1, round(TILE / max(h, w))), -(-max(h, w) // (2 * TILE))
    tiles = feature_map[::thin, ::thin][:, :, list(channels)]
    low = tiles.min(axis=(0, 1))
    span = tiles.max(axis=(0, 1)) - low
    shades = np.round(heat_colours((tiles - low) / np.where(span > 0, span, 1))).astype(np.uint8)
    shades = shades.repeat(magnify, axis=0).repeat(magnify, axis=1)
    height, width = shades.shape[:2]
    columns = min(columns, len(channels))
    rows = -(-len(channels) // columns)
    grid = np.zeros((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 4), np.uint8)
    for index in range(len(channels)):
        y, x = index // columns * (height + GAP), index % columns * (width + GAP)
        grid[y : y + height, x : x + width, :3] = shades[:, :, index]
        grid[y : y + height, x : x + width, 3] = 255
    return grid


def draw_feature_maps(maps: Mapping[str, np.ndarray], most: int = 8, columns: int = 4) -> Drawing:
    """Draws a figure for each layer with its name, its size and the channels that vary most.

    Arguments: `maps`, the feature map `(h, w, C)` of one image by name of the layer; `most`, the number of channels to
    show of each layer; `columns`, the number of tiles in a row. Returns HTML; the pages' CSS class `beside` places the
    figures side by side.
    """
    figures = []
    for name, feature_map in maps.items():
        feature_map = np.asarray(feature_map)
        channels = most_varied(feature_map, most) if feature_map.ndim == 3 else np.zeros(0, int)
        grid = feature_map_grid(feature_map, channels, columns)
        h, w, C = feature_map.shape
        words = f"{name}: the {len(channels)} most varied of {C} feature maps, {h}×{w} each; light is a high value"
        image = element("img", src=png_uri(grid), alt=words, width=grid.shape[1], height=grid.shape[0],
                        style="image-rendering:pixelated;max-width:100%;height:auto")  # fmt: skip
        figures.append(element("figure", element("figcaption", f"{name}, {h}×{w}×{C}"), image))
    return Drawing("".join(figures))
