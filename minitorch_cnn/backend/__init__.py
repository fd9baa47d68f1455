"""Which array library an array belongs to, and where the faster twin of an operation is found."""

from minitorch_cnn.backend.twins import accelerated, definitions_only

__all__ = ["accelerated", "definitions_only", "namespace"]


def namespace(array):
    """The module that made `array` (numpy or cupy), called `xp` by convention: `xp.exp(array)` runs where it lives."""
    return array.__array_namespace__()
