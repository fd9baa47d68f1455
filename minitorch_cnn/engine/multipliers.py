"""Another learning rate for some layers: new layers learn fast while pretrained ones are only touched up.

    SGD(1e-3, multipliers={"block5": 0.1, "block5_conv3": 0.5})

    layer           dense_1   block5_conv3   block5_conv1   block4_conv3
    learning rate    1e-3         5e-4           1e-4           1e-3

A name is that of a layer or what comes before an underscore in several; the longest one that fits a layer counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

from minitorch_cnn.errors import ArgumentError


def checked_multipliers(multipliers: dict | None) -> dict[str, float]:
    """A copy of {name: factor}; ArgumentError where that is something else or a factor is below 0. None gives {}."""
    if multipliers is None:
        return {}
    if not isinstance(multipliers, dict):
        raise ArgumentError(f"multipliers: expected {{layer name: factor}}, got {multipliers!r}")
    for name, factor in multipliers.items():
        if not (isinstance(name, str) and isinstance(factor, Real) and 0 <= factor < math.inf):
            raise ArgumentError(f"multipliers: expected a name and a factor of at least 0, got {name!r}: {factor!r}")
    return {name: float(factor) for name, factor in multipliers.items()}


def factors(multipliers: dict[str, float], layers: Iterable) -> dict[str, float]:
    """{layer name: factor} for every layer with parameters, 1.0 where no name fits.

    Raises ArgumentError for a name that fits no such layer: it would do nothing.
    """
    names = [layer.name for layer in layers if layer.parameter_shapes()]
    for name in multipliers:
        if not any(_fits(name, layer) for layer in names):
            there = ", ".join(names)
            raise ArgumentError(f"multipliers: no layer with parameters is called {name!r}; there are {there}")
    longest_first = sorted(multipliers, key=len, reverse=True)
    return {layer: next((multipliers[name] for name in longest_first if _fits(name, layer)), 1.0) for layer in names}


def _fits(name, layer):
    return layer == name or layer.startswith(f"{name}_")
