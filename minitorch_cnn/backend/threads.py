"""One set of threads: Numba's workers share out the work, and each calls BLAS on its own block with one thread.

BLAS threads of its own would fight with the workers for the same cores. So the BLAS that compiled code calls (SciPy's)
is set to one thread, once, when the first twin that multiplies is loaded; setting it to and fro around every call costs
more than it gains, since its threads wake up each time. NumPy's own BLAS, where it is another copy, stays as it is.

For the same reason a worker that has nothing to do shall sleep, not spin: on a machine that does something else as
well, spinning takes the time away from the worker that all wait for (`OMP_WAIT_POLICY`, unless the user has set it).

How many workers there are is Numba's matter: `NUMBA_NUM_THREADS`, `numba.set_num_threads`.
"""

import functools
import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when the first parallel function is loaded


@functools.cache
def one_blas_thread():
    """Let the BLAS behind Numba use one thread from now on."""
    import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is to be limited)
    import threadpoolctl

    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    scipys = [library for library in libraries if "scipy.libs" in library.filepath]
    for library in scipys or libraries:
        library.set_num_threads(1)
