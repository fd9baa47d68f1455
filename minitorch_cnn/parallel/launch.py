"""Beginning and ending together.

A program that was started by `mpiexec` is one of several, whether its user thought of that or not: alone, each would
train the same and write over the others. So the command line looks for the launcher instead of waiting for an option.
"""

import contextlib
import functools
import os
import subprocess
import sys
import time
import traceback

from minitorch_cnn.errors import BackendError
from minitorch_cnn.parallel.ranks import Alone, Ranks

# How a launcher tells its processes how many they are, and which: MPICH, Intel MPI, Microsoft MPI, Slurm; Open MPI.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
NUMBERS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")
PATIENCE = 3.0  # seconds in which the first rank may say what all would say
PASSING_ON = 0.2  # seconds in which the launcher takes a message, before it is told to end everybody


def launched():
    """How many processes a launcher says it has started; 1 where there was none."""
    sizes = [os.environ[name] for name in SIZES if os.environ.get(name, "").isdigit()]
    return max(map(int, sizes), default=1)


def first():
    """Whether this is the first of the processes that a launcher started, or the only one."""
    numbers = [os.environ[name] for name in NUMBERS if os.environ.get(name, "").isdigit()]
    return launched() == 1 or not numbers or int(numbers[0]) == 0


def parse_once(parser, arguments):
    """`parser.parse_args(arguments)`; where it ends the program, the first process prints why and has the exit code."""
    if first():
        return parser.parse_args(arguments)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            return parser.parse_args(arguments)
        except SystemExit:
            raise SystemExit(0) from None


def go_on_alone():
    """Leave to the first process what needs no other: they end here, and it goes on as if it had been started alone."""
    if not first():
        raise SystemExit(0)
    for name in SIZES:
        os.environ.pop(name, None)


@functools.cache
def world():
    """The processes that were started together: `Ranks` under `mpiexec`, otherwise `Alone`.

    From then on an exception that nobody catches ends them all: MPI would wait for the process that it ended.
    Raises BackendError where mpi4py is missing, or made for another MPI than the launcher's.
    """
    if launched() == 1:
        return Alone()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise BackendError(f"started by mpiexec, which needs mpi4py: pip install mpi4py ({error})") from None
    if launched() != MPI.COMM_WORLD.size:
        raise BackendError(
            f"started by mpiexec as one of {launched()} processes, but mpi4py sees {MPI.COMM_WORLD.size}:"
            f" it was made for another MPI ({MPI.Get_library_version().splitlines()[0]})"
        )
    _share_cores(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).size)
    sys.excepthook = lambda *error: fail("".join(traceback.format_exception(*error)), 1)
    return Ranks(MPI.COMM_WORLD)


def _share_cores(processes):
    """Numba's threads are to be as many as there are cores for each process of this machine, unless the user says."""
    if "NUMBA_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        os.environ["NUMBA_NUM_THREADS"] = str(max(1, cores // processes))


def fail(message, code, together=False):
    """End with a line on the error output: returns the exit code, or, under mpiexec, ends all processes at once.

    What all of them run into, the first one says; what only one does, it says itself. With `together` all are known to
    end here, so nobody has to be ended.
    """
    ranks = _world_or_none()
    if together or ranks is None or ranks.size == 1:
        if ranks is None or ranks.reports:
            print(message, file=sys.stderr, flush=True)
        return code
    if not ranks.reports:
        time.sleep(PATIENCE)
        message = f"process {ranks.rank + 1} of {ranks.size}: {message}"
    print(message, file=sys.stderr, flush=True)
    time.sleep(PASSING_ON)
    ranks.communicator.Abort(code)


def _world_or_none():
    try:
        return world()
    except BackendError:
        return None


# Prints its first argument when its input ends without the word, for then the process that held the other end is dead;
# and its second where there is a file of the name in the third.
_WITNESS = """
import os, sys
if sys.stdin.read() != "well":
    message, advice, path = sys.argv[1:]
    print(message + (advice if os.path.exists(path) else ""), file=sys.stderr, flush=True)
"""


@contextlib.contextmanager
def last_words(message, advice, path):
    """Context in which a killed process (out of memory, a lost machine) still leaves a message.

    `advice` is added where there is a file at `path`. The launcher kills all ranks when one dies, too fast for any of
    them to speak, so a witness is started that only waits for this process to end.
    """
    command = [sys.executable, "-I", "-S", "-c", _WITNESS, message, advice, str(path)]
    witness = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            witness.communicate("well")
