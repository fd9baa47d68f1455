"""Which array library an array belongs to, and where the faster twin of a definition is found."""

from minitorch_cnn.arrays.dispatch import Guard, accelerated, definitions_only, say_once
from minitorch_cnn.arrays.libraries import BACKENDS, Array, is_array, library, library_name, moved, namespace, on_host

__all__ = [
    "BACKENDS",
    "Array",
    "Guard",
    "accelerated",
    "definitions_only",
    "is_array",
    "library",
    "library_name",
    "moved",
    "namespace",
    "on_host",
    "say_once",
]
