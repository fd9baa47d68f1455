"""Twins for NVIDIA GPUs: kernels of `kernels.cu`, and cuBLAS. CuPy is loaded already, since they get its arrays."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable


def entrance(path: str, name: str) -> Callable | None:
    """The twin called `name` in the file `path` ("convolution.im2col"); None where there is none."""
    where = f"{__name__}.{path}"
    try:
        found = importlib.util.find_spec(where) is not None
    except ModuleNotFoundError:  # not even the folder
        return None
    return getattr(importlib.import_module(where), name, None) if found else None
