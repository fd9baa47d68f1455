"""Arrays that belong together: the inputs of a network with several, or the labels for its several outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_cnn.arguments import as_array
from minitorch_cnn.datasets.weighted_labels import WeightedLabels
from minitorch_cnn.errors import ArgumentError


class Several:
    """A sequence of N items, each a row of every one of `parts`: `several[rows]` is the list of those rows of each."""

    def __init__(self, parts: Sequence[Any], count: int, what: str) -> None:
        """`parts` has to be a list of `count` arrays of the same length; `what` names them in an ArgumentError."""
        if not isinstance(parts, (list, tuple)) or len(parts) != count:
            got = f"a list of {len(parts)}" if isinstance(parts, (list, tuple)) else type(parts).__name__
            raise ArgumentError(f"{what}: expected a list of {count} arrays, got {got}")
        if len({len(part) for part in parts}) > 1:
            raise ArgumentError(f"{what}: expected arrays of one length, got {[len(part) for part in parts]}")
        self.parts = [as_array(part, what) for part in parts]

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: Any) -> list[Any]:
        return [part[rows] for part in self.parts]


def together(parts: Any, count: int, what: str) -> Any:
    """`parts` for a `count` of 1 (a list as an array), else as `Several`; labels with weights are together already."""
    if count == 1:
        return as_array(parts, what)
    return parts if isinstance(parts, (Several, WeightedLabels)) else Several(parts, count, what)
