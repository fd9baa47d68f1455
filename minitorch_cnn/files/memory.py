"""A limit on the memory of the process (`ulimit -v`), and errors that come from a lack of memory.

Python raises MemoryError where it notices the lack itself. A library that cannot be loaded, or a thread that cannot be
started, is another error that says so only in its text. The compiler of the twins ends the process or hangs, so it
should not be started with too little memory at all.
"""

import contextlib
import errno
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import TooLittleMemory

COMPILER = 1200 << 20  # bytes of addresses that compiling and running the twins may take; up to 1,000 MiB were measured
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container
WORDS = (
    "can't start new thread", "failed to map segment", "cannot allocate memory", "could not find/load shared object",
)  # fmt: skip


def room() -> int | None:
    """How many bytes of addresses the process may still take; None without a limit, or where it cannot be read."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError, ValueError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(limit - taken, 0)


def machine_memory() -> int | None:
    """How many bytes this machine has, swap included, or fewer if it is a container's; None where it cannot be read."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {name: int(size.split()[0]) << 10 for name, _, size in (line.partition(":") for line in lines)}
        total, swap = sizes["MemTotal"], sizes["SwapTotal"]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # there is no limit, or it is the word "max"
            total = min(total, int(Path(path).read_text()))
    return total + swap


def scarce() -> bool:
    """Whether the limit on this process leaves too little memory for the compiler of the twins, and for threads."""
    left = room()
    return left is not None and left < COMPILER


def reserve_for_products() -> None:
    """Let NumPy's BLAS take the memory that it works in now, because it ends the process if there is none later."""
    square = np.ones((512, 512), np.float32)
    square @ square


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an exception, or the one that it was raised from, comes from a lack of memory."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if isinstance(error, (ImportError, OSError, RuntimeError)) and any(words in str(error).lower() for words in WORDS):
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_lack_of_memory(cause)


def too_little_memory(error: BaseException) -> TooLittleMemory:
    """The error in one line, for an exception that comes from a lack of memory."""
    limit = room()
    left = "" if limit is None else f"; the limit of this process (ulimit -v) leaves {limit >> 20:,} MiB"
    said = TooLittleMemory.describe(error if isinstance(error, MemoryError) else MemoryError(str(error)))
    return TooLittleMemory(said + left)
