"""One set of threads: Numba's workers share out the work, and each calls BLAS on its own block with one thread.

BLAS threads of its own would fight with the workers for the same cores. So the BLAS that compiled code calls (SciPy's)
is set to one thread, once, when the first twin that multiplies is loaded; setting it to and fro around every call costs
more than it gains, since its threads wake up each time. NumPy's own BLAS, where it is another copy, stays as it is.

For the same reason a worker that has nothing to do shall sleep, not spin: on a machine that does something else as
well, spinning takes the time away from the worker that all wait for (`OMP_WAIT_POLICY`, unless the user has set it).

How many workers there are: as many as `NUMBA_NUM_THREADS` says, else `OMP_NUM_THREADS`, else one for each core that
the process may use; `numba.set_num_threads` lowers it later on. The number changes how long something takes, not what
comes out: work is split and sums are ordered by the shapes alone, so every compiled path gives the same bits with one
worker and with many.

All of this has to be said before Numba is imported.
"""

import functools
import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _limit_of_openmp():
    """The number in OMP_NUM_THREADS (the first, where there is one for each level), or None."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


if _limit_of_openmp():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("NUMBA_NUM_THREADS", str(min(_limit_of_openmp(), cores)))


@functools.cache
def one_blas_thread():
    """Let the BLAS behind Numba use one thread from now on."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is to be limited)
    import threadpoolctl

    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    scipys = [library for library in libraries if "scipy.libs" in library.filepath]
    for library in scipys or libraries:
        library.set_num_threads(1)
