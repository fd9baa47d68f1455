"""How processes that belong together start and end.

`mpiexec` starts a program several times, whether or not its user had that in mind. If each process trained alone, they
would all train the same model and overwrite each other's files. So the command line looks for the launcher's
environment variables instead of requiring an option.
"""

import contextlib
import functools
import os
import subprocess
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from minitorch_cnn.errors import BackendError
from minitorch_cnn.parallel.ranks import Alone, Ranks

# Variables in which a launcher gives each process the number of processes and its own number.
# The first is set by MPICH, Intel MPI, Microsoft MPI and Slurm, the second by Open MPI.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
NUMBERS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")
PATIENCE = 3.0  # seconds for which the other ranks wait, so that the first rank can report an error that all share
FORWARDING = 0.2  # seconds for which the launcher has time to forward a message before all processes are ended


def launched() -> int:
    """How many processes the launcher has started; 1 without a launcher."""
    sizes = [os.environ[name] for name in SIZES if os.environ.get(name, "").isdigit()]
    return max(map(int, sizes), default=1)


def first() -> bool:
    """Whether this is the first of the processes that a launcher started, or the only process."""
    numbers = [os.environ[name] for name in NUMBERS if os.environ.get(name, "").isdigit()]
    return launched() == 1 or not numbers or int(numbers[0]) == 0


def parse_once(parser: ArgumentParser, arguments: Sequence[str] | None) -> Namespace:
    """`parser.parse_args(arguments)`; if that ends the program, only the first process prints anything.

    Then the first process has the parser's exit code, and the others have 0.
    """
    if first():
        return parser.parse_args(arguments)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            return parser.parse_args(arguments)
        except SystemExit:
            raise SystemExit(0) from None


def continue_alone() -> None:
    """End all processes but the first, which continues as if it had been started without a launcher."""
    if not first():
        raise SystemExit(0)
    for name in SIZES:
        os.environ.pop(name, None)


@functools.cache
def world() -> Alone:
    """The processes that were started together: `Ranks` under `mpiexec`, otherwise `Alone`.

    After this call an uncaught exception on one rank ends all ranks, because otherwise MPI would wait for the dead one.
    Raises BackendError when mpi4py is missing or was built for another MPI than the launcher's.
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
            f" it was built for another MPI ({MPI.Get_library_version().splitlines()[0]})"
        )
    _share_cores(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).size)
    sys.excepthook = lambda *error: fail("".join(traceback.format_exception(*error)), 1)
    return Ranks(MPI.COMM_WORLD)


def _share_cores(processes):
    """Divide this machine's cores among its processes as Numba's threads, unless the user has set their number."""
    if "NUMBA_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        os.environ["NUMBA_NUM_THREADS"] = str(max(1, cores // processes))


def fail(message: str, code: int, together: bool = False) -> int:
    """Print a message on the error output, then return the exit code or, under mpiexec, end all processes at once.

    If all processes fail in the same way, the first one prints the message; if only one fails, that one prints it.
    `together` means that all processes are known to end here, so none has to be ended by force.
    """
    ranks = _world_or_none()
    if together or ranks is None or ranks.size == 1:
        if ranks is None or ranks.reports:
            _print(message)
        return code
    if not ranks.reports:
        time.sleep(PATIENCE)
        message = f"process {ranks.rank + 1} of {ranks.size}: {message}"
    _print(message)
    time.sleep(FORWARDING)
    ranks.communicator.Abort(code)
    return code


def _print(message):
    with contextlib.suppress(OSError, ValueError):  # the error output was closed
        print(message, file=sys.stderr, flush=True)


def _world_or_none():
    try:
        return world()
    except BackendError:
        return None


# Waits for its input to end. If the input was not "well", the process at the other end of the pipe was killed: then it
# prints its first argument, followed by the second if the file named by the third exists.
_WITNESS = """
import os, sys
if sys.stdin.read() != "well":
    message, advice, path = sys.argv[1:]
    print(message + (advice if os.path.exists(path) else ""), file=sys.stderr, flush=True)
"""


@contextlib.contextmanager
def message_if_killed(message: str, advice: str, path: str | Path) -> Iterator[None]:
    """Context that prints `message` if this process is killed inside it (out of memory, a lost machine).

    `advice` is added if there is a file at `path`. The launcher kills all ranks when one dies, too quickly for any of
    them to print something, so a separate witness process is started that only waits for this process to end.
    """
    command = [sys.executable, "-I", "-S", "-c", _WITNESS, message, advice, str(path)]
    witness = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            witness.communicate("well")
