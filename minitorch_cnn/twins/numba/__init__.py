"""Twins compiled by Numba. The first one that runs starts the threads that all share; importing this does nothing."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable


def entrance(path: str, name: str) -> Callable | None:
    """The twin called `name` in the file `path` ("convolution.im2col"), ready to be called, or None.

    Raises ImportError if a package that it needs is missing.
    """
    from minitorch_cnn.twins.numba import threads

    where = f"{__name__}.{path}"
    try:
        if importlib.util.find_spec(where) is None:
            return None
    except ModuleNotFoundError:  # the folder does not exist either
        return None
    threads.start()
    module = importlib.import_module(where)
    twin = getattr(module, name, None)
    return twin if twin is None or not getattr(module, "PARALLEL", True) else threads.guarded(twin, f"{path}.{name}")
