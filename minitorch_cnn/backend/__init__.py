"""Which array library an array belongs to, and where the faster twin of an operation is found."""

import minitorch_cnn.backend.threads  # noqa: F401  (sets what Numba reads when it is imported)
from minitorch_cnn.backend.twins import accelerated, definitions_only

__all__ = ["accelerated", "definitions_only", "namespace"]


def namespace(array):
    """The module that made `array` (numpy or cupy), called `xp` by convention: `xp.exp(array)` runs where it lives."""
    return array.__array_namespace__()
