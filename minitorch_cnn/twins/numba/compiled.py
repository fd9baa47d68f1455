"""`njit` and `cfunc`: Numba's decorators, with a cache on disk that notices every change of the twins.

Numba keeps compiled code until the file of the function changes. But the code of a function contains that of all
functions it calls, here mostly from other files, so that after an edit there the old one would go on running, and where
the arguments have changed, read from wrong places. So here a change of any file of this folder makes all code stale.

Where neither the folder of the package nor the user's cache can be written to, the code is kept in a temporary folder
until the program ends.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from minitorch_cnn.files.progress_bar import print_above

FOLDER = Path(__file__).parent
Cached = TypeVar("Cached")
_temporary: list[str] = []  # the folder, if one was needed


def njit(**options: Any) -> Callable[[Callable], Any]:
    """`numba.njit(cache=True, **options)`, whose cache is that of these sources."""

    def decorate(function: Callable) -> Any:
        dispatcher = _with_a_cache(lambda: numba.njit(cache=True, **options)(function))
        _mark(dispatcher._cache)
        return dispatcher

    return decorate


def cfunc(signature: Any) -> Callable[[Callable], CFunc]:
    """`numba.cfunc(signature, cache=True)`, whose cache is that of these sources."""

    def decorate(function: Callable) -> CFunc:
        callback = CFunc(function, normalize_signature(signature), {}, {})
        _with_a_cache(callback.enable_caching)
        _mark(callback._cache)
        callback.compile()
        return callback

    return decorate


def _with_a_cache(make: Callable[[], Cached]) -> Cached:
    """What `make` returns; in a temporary folder, if Numba finds none to keep compiled code in."""
    try:
        return make()
    except RuntimeError:
        if _temporary:
            raise
        _use_a_temporary_folder()
        return make()


def _use_a_temporary_folder() -> None:
    """Let Numba keep compiled code in a new folder that only this user can read, and say so."""
    folder = tempfile.mkdtemp(prefix="minitorch_cnn_compiled_")
    _temporary.append(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder  # the variable for processes that this one starts
    print_above(
        "minitorch_cnn: compiled code cannot be kept, so it is compiled again in every run;"
        " set NUMBA_CACHE_DIR to a folder that can be written to",
        sys.stderr,
    )


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
