"""The filters of the first layer as they learn: one picture for each of several epochs, all on the same scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minitorch_cnn.report.pictures import filter_grid, png_uri
from minitorch_cnn.report.svg import Drawing

FEW = 6  # pictures that are seen where no script runs


def film(kernels: Mapping[int, np.ndarray], columns: int = 8) -> list[dict[str, Any]]:
    """The pictures of kernels `(KH, KW, C, K)` by the number of epochs they have learned, the earliest first.

    A filter has the same scale in all pictures. Each says by how much its kernel differs from the first one,
    ||kernel - first|| / ||first||, the Euclidean norm over all weights. The list is empty if nothing has changed.
    """
    epochs = sorted(kernels)
    if len(epochs) < 2:
        return []
    shown = np.stack([np.nan_to_num(np.asarray(kernels[epoch], np.float32)) for epoch in epochs])
    lengths = np.linalg.norm((shown - shown[0]).reshape(len(epochs), -1), axis=1)
    first = float(np.linalg.norm(shown[0]))
    if not lengths.any():
        return []
    largest = np.abs(shown).max(axis=(0, 1, 2, 3))
    few = set(np.linspace(0, len(epochs) - 1, FEW).round().astype(int).tolist())
    height, width, _, count = shown.shape[1:]
    frames = []
    for place, epoch in enumerate(epochs):
        grid = filter_grid(shown[place], columns, magnify=max(1, round(18 / max(height, width))), largest=largest)
        frames.append(
            {
                "uri": Drawing(png_uri(grid)),
                "size": grid.shape[:2],
                "when": f"after epoch {epoch}" if epoch else "before training",
                "change": f"{lengths[place] / first:.1%}" if place and first else "",
                "alt": f"{count} filters of {height}×{width} weights",
                "few": place in few,
            }
        )
    return frames
