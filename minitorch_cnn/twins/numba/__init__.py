"""Twins compiled by Numba. The first one that runs sets up the threads that they share; importing this does nothing."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable


def entrance(path: str, name: str) -> Callable | None:
    """The twin called `name` in the file `path` ("convolution.im2col"), ready to be called; None where there is none.

    Raises ImportError where a package that it needs is missing.
    """
    from minitorch_cnn.twins.numba import threads

    where = f"{__name__}.{path}"
    try:
        if importlib.util.find_spec(where) is None:
            return None
    except ModuleNotFoundError:  # not even the folder
        return None
    threads.start()
    module = importlib.import_module(where)
    twin = getattr(module, name, None)
    return twin if twin is None or not getattr(module, "PARALLEL", True) else threads.guarded(twin)
