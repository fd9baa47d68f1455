"""Which array library an array belongs to, and where the faster twin of an operation is found."""

from minitorch_cnn.backend.libraries import library, library_name, moved, namespace, on_host
from minitorch_cnn.backend.twins import accelerated, definitions_only

__all__ = ["accelerated", "definitions_only", "library", "library_name", "moved", "namespace", "on_host"]
