"""Labels that carry a weight for each example: how much it counts in the loss."""

from __future__ import annotations

from typing import Any

import numpy as np


class WeightedLabels:
    """N labels and their weights (N,); `weighted[rows]` holds those of some rows, so both stay together in batches."""

    def __init__(self, labels: Any, weights: np.ndarray) -> None:
        self.labels, self.weights = labels, weights

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, rows: Any) -> WeightedLabels:
        return WeightedLabels(self.labels[rows], self.weights[rows])


def parted(labels: Any) -> tuple[Any, np.ndarray | None]:
    """(labels, weights) of `WeightedLabels` labels; (labels, None) of any others."""
    return (labels.labels, labels.weights) if isinstance(labels, WeightedLabels) else (labels, None)
