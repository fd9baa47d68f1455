"""One set of threads: while Numba's workers run, BLAS must not start its own.

Each worker calls BLAS on its own block; BLAS threads of its own would fight with the workers for the same cores.
"""

import functools
import threading

import threadpoolctl

_lock = threading.local()


@functools.cache
def _controller():
    return threadpoolctl.ThreadpoolController()


class one_blas_thread:  # noqa: N801  (used like a function: `with one_blas_thread():`)
    """Context in which every BLAS library of the process uses one thread; entering it again inside costs nothing."""

    def __enter__(self):
        depth = getattr(_lock, "depth", 0)
        if depth == 0:
            _lock.limit = _controller().limit(limits=1, user_api="blas")
            _lock.limit.__enter__()
        _lock.depth = depth + 1

    def __exit__(self, *error):
        _lock.depth -= 1
        if _lock.depth == 0:
            _lock.limit.__exit__(*error)
