"""One training at a time in a run folder: two would write their checkpoints over each other's."""

import contextlib
import os
from pathlib import Path

from minitorch_cnn.errors import CheckpointError


@contextlib.contextmanager
def only_one(folder):
    """Context in which no other process gets into this context for `folder`, which is made if it is not there.

    The system lifts the lock when the process ends, whatever ends it. Where it has no locks for folders (Windows, some
    network disks) nothing guards. Raises CheckpointError where another process is in it, or it cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror or error})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"{folder}: cannot be written (it is read-only for you); what is in it is as it was")
    handle = _lock(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder):
    """What to close at the end; None where there are no such locks."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise CheckpointError(
            f"{folder}: another process is training in it; wait for it to end, or name another --out"
        ) from None
    except OSError:
        pass
    return handle
