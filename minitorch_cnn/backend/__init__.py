"""Which array library an array belongs to, and where the faster twin of an operation is found."""

import minitorch_cnn.backend.threads  # noqa: F401  (sets what Numba reads when it is imported)
from minitorch_cnn.backend.libraries import BACKENDS, is_array, library, library_name, moved, namespace, on_host
from minitorch_cnn.backend.twins import accelerated, definitions_only

__all__ = [
    "BACKENDS",
    "accelerated",
    "definitions_only",
    "is_array",
    "library",
    "library_name",
    "moved",
    "namespace",
    "on_host",
]
