"""`njit` and `cfunc`: Numba's decorators, with a cache on disk that notices every change of the twins.

Numba keeps compiled code until the file of the function changes. But the code of a function contains that of all
functions it calls, here mostly from other files, so that after an edit there the old one would go on running, and where
the arguments have changed, read from wrong places. So here a change of any file of this folder makes all code stale.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

FOLDER = Path(__file__).parent


def njit(**options: Any) -> Callable[[Callable], Any]:
    """`numba.njit(cache=True, **options)`, whose cache is that of these sources."""

    def decorate(function: Callable) -> Any:
        dispatcher = numba.njit(cache=True, **options)(function)
        _mark(dispatcher._cache)
        return dispatcher

    return decorate


def cfunc(signature: Any) -> Callable[[Callable], CFunc]:
    """`numba.cfunc(signature, cache=True)`, whose cache is that of these sources."""

    def decorate(function: Callable) -> CFunc:
        callback = CFunc(function, normalize_signature(signature), {}, {})
        callback.enable_caching()
        _mark(callback._cache)
        callback.compile()
        return callback

    return decorate


def _mark(cache: Any) -> None:
    cache._cache_file._source_stamp = cache._cache_file._source_stamp, stamp()


def stamp() -> str:
    """A hash of all sources in this folder, as they are now."""
    files = sorted(FOLDER.rglob("*.py"))
    return _hash(tuple((path, *_state(path)) for path in files))


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=2)
def _hash(states: tuple) -> str:
    sources = hashlib.sha256()
    for path, *_ in states:
        sources.update(path.read_bytes())
    return sources.hexdigest()
