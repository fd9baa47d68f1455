"""Twins for NVIDIA GPUs: kernels of `kernels.cu`, and cuBLAS. CuPy is loaded already, since it made their arrays."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable


def entrance(path: str, name: str) -> Callable | None:
    """The twin called `name` in the file `path` ("convolution.im2col"), or None if there is none."""
    where = f"{__name__}.{path}"
    try:
        found = importlib.util.find_spec(where) is not None
    except ModuleNotFoundError:  # the folder does not exist either
        return None
    return getattr(importlib.import_module(where), name, None) if found else None
