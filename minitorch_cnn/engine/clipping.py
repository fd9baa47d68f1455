"""Gradient clipping: one unusual batch cannot make a step arbitrarily long (Pascanu et al. 2013)."""

import math

from minitorch_cnn.arrays import Array, namespace

BLOCK = 1 << 18  # numbers that are squared at once in float64: 2 MiB


def global_norm(vectors: list[Array]) -> float:
    """The length of all `vectors` (1-D) taken as one: the root of the sum of all squares, a float.

    Summed in float64: in float32 the square of 2e19 is infinite, and a sum over millions loses its last digits.
    """
    total = 0.0
    for vector in vectors:
        for start in range(0, vector.size, BLOCK):
            block = vector[start : start + BLOCK].astype("float64")
            total = total + namespace(block).vdot(block, block)
    return math.sqrt(total)


def clip_to_norm(vectors: list[Array], limit: float) -> None:
    """Scale all `vectors` in place by limit / norm where their global norm is above `limit`; the direction stays."""
    norm = global_norm(vectors)
    if norm > limit:
        for vector in vectors:
            vector *= vector.dtype.type(limit / norm)
