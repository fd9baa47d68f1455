"""One set of threads: Numba's workers divide the work, and each of them calls BLAS on its own block with one thread.

This changes the following in the process, but only when the first twin runs:

- While Numba's threads start, `OMP_WAIT_POLICY` is "passive" and `GOMP_SPINCOUNT` is 1000 (unless one of them is set
  already), so an idle worker sleeps after some 50 microseconds instead of spinning for milliseconds. If the machine is
  also busy with something else, a spinning worker would take time away from the one that the others are waiting for.
  But two twins often follow each other so closely that waking a worker takes as long as its work. Afterwards the
  variables are restored.
- SciPy's BLAS, which compiled code calls, is limited to one thread once the first twin that needs it is loaded. Its own
  threads would compete with the workers for the same cores, and changing the limit around each call would cost more
  than it gains, because the threads wake up each time. NumPy's BLAS, usually another copy, is not changed.
- In each Python thread that calls a twin, Numba uses `NUMBA_NUM_THREADS` workers, or else `OMP_NUM_THREADS`, or else
  one for each core that the process may use. `numba.set_num_threads` can lower the number later.

The number of workers changes the time but not the result: the shapes alone decide how work is divided and in what order
numbers are summed, so every twin gives the same bits with one worker and with many.

Python threads may call twins at the same time. If Numba has neither OpenMP nor TBB, its own scheduler does not allow
that, so the threads take turns. A process that was forked after a twin has run cannot use its parent's threads; a twin
called there raises an error that says so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from minitorch_cnn.errors import BackendError

WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}  # of workers that have nothing to do

_starting = threading.Lock()
_mine = threading.local()
_process: dict[str, Any] = {"started": False, "forked": False, "turns": None, "wait_for": None}


def start() -> None:
    """Start Numba's threads, once; ImportError if Numba is missing."""
    if _process["started"]:
        return
    with _starting:
        if _process["started"]:
            return
        import numba
        from numba.np.ufunc import parallel

        if numba.config.DISABLE_JIT:
            raise ImportError("NUMBA_DISABLE_JIT is set")
        with _passive_waiting():
            parallel._launch_threads()
        if numba.threading_layer() == "workqueue":  # aborts the process if two threads use it at once
            _process["turns"] = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _process.update(forked=True))
        _process["started"] = True


def guarded(twin: Callable, name: str) -> Callable:
    """The twin, made safe for threads that call it at the same time; it raises BackendError after a fork."""

    @functools.wraps(twin)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _process["forked"]:
            _refuse_after_fork()
        if not getattr(_mine, "ready", False):
            _set_workers()
        if _process["wait_for"] is not None:
            _process["wait_for"](name)
        if _process["turns"] is None:
            return twin(*args, **kwargs)
        with _process["turns"]:
            return twin(*args, **kwargs)

    return run


def before_each_twin(wait_for: Callable[[str], None] | None) -> None:
    """Call `wait_for` with the name of each twin before it runs, from now on; None: call nothing."""
    _process["wait_for"] = wait_for


def _refuse_after_fork() -> None:
    raise BackendError(
        "this process was forked from one that had already computed, so it lacks its threads; start processes with"
        ' multiprocessing.get_context("spawn"), or start the program with MINITORCH_CNN_DEFINITIONS=1'
    )


def _set_workers() -> None:
    """In this thread, use at most OMP_NUM_THREADS workers, unless NUMBA_NUM_THREADS is set."""
    import numba

    limit = _limit_of_openmp()
    if limit is not None and "NUMBA_NUM_THREADS" not in os.environ:
        numba.set_num_threads(min(limit, numba.get_num_threads()))
    _mine.ready = True


def _limit_of_openmp() -> int | None:
    """The number in OMP_NUM_THREADS, or None; if it lists one number for each level, the first."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


@contextlib.contextmanager
def _passive_waiting() -> Iterator[None]:
    if any(name in os.environ for name in WAITING):
        yield
        return
    os.environ.update(WAITING)
    try:
        yield
    finally:
        for name in WAITING:
            del os.environ[name]


@functools.cache
def one_blas_thread() -> None:
    """Limit the BLAS that Numba calls to one thread from now on."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library to limit)
    import threadpoolctl

    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    scipys = [library for library in libraries if "scipy.libs" in library.filepath]
    for library in scipys or libraries:
        library.set_num_threads(1)
