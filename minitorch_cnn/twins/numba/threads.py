"""One set of threads: Numba's workers share out the work, and each calls BLAS on its own block with one thread.

What this changes in the process, when the first twin runs and not before:

- While Numba's threads are started, `OMP_WAIT_POLICY` is "passive" (unless it is set already), so an idle worker
  sleeps instead of spinning. On a machine that does something else as well, spinning would take time away from the
  worker that the others wait for. Afterwards the variable is as it was.
- SciPy's BLAS, which compiled code calls, is set to one thread once the first twin that needs it is loaded. Its own
  threads would compete with the workers for the same cores, and switching to and fro around each call costs more than
  it gains, because the threads wake up each time. NumPy's BLAS, usually another copy, is not changed.
- In each Python thread that calls a twin, Numba uses as many workers as `NUMBA_NUM_THREADS` says, or else
  `OMP_NUM_THREADS`, or else one for each core that the process may use. `numba.set_num_threads` lowers it later on.

The number of workers changes how long something takes, but not the result: work is split and sums are ordered by the
shapes alone, so every twin gives the same bits with one worker and with many.

Threads and processes: Python threads may call twins at the same time. Where Numba has neither OpenMP nor TBB its own
scheduler cannot do that, and they take turns. A process that was forked after a twin has run cannot use the threads of
its parent; there a twin ends in an error that says so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from minitorch_cnn.errors import BackendError

_starting = threading.Lock()
_mine = threading.local()
_process: dict[str, Any] = {"started": False, "forked": False, "turns": None}


def start() -> None:
    """Start Numba's threads, once; ImportError where Numba is missing."""
    if _process["started"]:
        return
    with _starting:
        if _process["started"]:
            return
        import numba
        from numba.np.ufunc import parallel

        with _passive_waiting():
            parallel._launch_threads()
        if numba.threading_layer() == "workqueue":  # ends the process if two threads use it at once
            _process["turns"] = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _process.update(forked=True))
        _process["started"] = True


def guarded(twin: Callable) -> Callable:
    """The twin, for threads that may call it at the same time, and for processes that may not call it."""

    @functools.wraps(twin)
    def run(*args: Any, **kwargs: Any) -> Any:
        if _process["forked"]:
            _refuse_after_fork()
        if not getattr(_mine, "ready", False):
            _set_workers()
        if _process["turns"] is None:
            return twin(*args, **kwargs)
        with _process["turns"]:
            return twin(*args, **kwargs)

    return run


def _refuse_after_fork() -> None:
    raise BackendError(
        "this process was forked from one that had computed already, so it lacks its threads; start processes with"
        ' multiprocessing.get_context("spawn"), or set MINITORCH_CNN_DEFINITIONS=1 to do without compiled code'
    )


def _set_workers() -> None:
    """In this thread, use no more workers than OMP_NUM_THREADS says, where NUMBA_NUM_THREADS says nothing."""
    import numba

    limit = _limit_of_openmp()
    if limit is not None and "NUMBA_NUM_THREADS" not in os.environ:
        numba.set_num_threads(min(limit, numba.get_num_threads()))
    _mine.ready = True


def _limit_of_openmp() -> int | None:
    """The number in OMP_NUM_THREADS (the first, where there is one for each level), or None."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


@contextlib.contextmanager
def _passive_waiting() -> Iterator[None]:
    name = "OMP_WAIT_POLICY"
    if name in os.environ:
        yield
        return
    os.environ[name] = "passive"
    try:
        yield
    finally:
        del os.environ[name]


@functools.cache
def one_blas_thread() -> None:
    """Let the BLAS behind Numba use one thread from now on."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is to be limited)
    import threadpoolctl

    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    scipys = [library for library in libraries if "scipy.libs" in library.filepath]
    for library in scipys or libraries:
        library.set_num_threads(1)
