"""How far a definition and its twins are from an independent result: what `twins.py` and `plain.py` find and print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minitorch_cnn.arrays import library, on_host

TOLERANCE = 1e-9  # relative, in float64


@dataclass
class Comparison:
    """How far a definition and its twins are from an independent result, relative to its largest value."""

    title: str
    definition: float
    twins: dict[str, float] = field(default_factory=dict)  # "numba" or "cuda": how far
    tolerance: float = TOLERANCE
    changed: list[str] = field(default_factory=list)  # what is no longer as recorded

    @property
    def passed(self) -> bool:
        """Whether the definition and every twin agree with the independent result."""
        return all(error <= self.tolerance for error in (self.definition, *self.twins.values()))

    @property
    def verdict(self) -> str:
        """Which one is wrong, and what was changed, in words."""
        words = [] if self.definition <= self.tolerance else ["the definition is wrong"]
        words += [f"the {name} twin is wrong" for name, error in self.twins.items() if not error <= self.tolerance]
        if self.changed:
            words.append(f"changed since its twin was made: {', '.join(self.changed)}")
        return "; ".join(words) or "agree"

    def __str__(self) -> str:
        numbers = [f"definition {self.definition:.1e}", *(f"{name} {error:.1e}" for name, error in self.twins.items())]
        return f"{'ok ' if self.passed else 'BAD'} {self.title}: {', '.join(numbers)}; {self.verdict}"


def outcome(function: Callable, arguments: tuple, backend: str) -> list[np.ndarray]:
    """Every array that the function returns or changes, on the host in float64."""
    xp = library(backend)
    own = [xp.array(value) if isinstance(value, np.ndarray) else value for value in arguments]
    try:
        result = function(*own)
    except Exception:  # an edit that cannot run: nothing it returns is right
        return []
    arrays = [*(result if isinstance(result, tuple) else [result]), *own]
    return [np.array(on_host(array), np.float64) for array in arrays if hasattr(array, "shape")]


def difference(got: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """The largest difference relative to the largest wanted value; infinity where shapes differ."""
    if [array.shape for array in got] != [array.shape for array in wanted]:
        return float("inf")
    differences = [float(abs(a - b).max() / max(abs(b).max(), 1e-30)) for a, b in zip(got, wanted) if a.size]
    return float("inf") if any(np.isnan(differences)) else max(differences)
