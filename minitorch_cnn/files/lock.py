"""A lock on a run folder: two trainings in one folder would overwrite each other's checkpoints."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from minitorch_cnn.errors import CheckpointError


@contextlib.contextmanager
def only_one(folder: str | Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` during a `with` block; the folder is created if it does not exist.

    The operating system releases the lock when the process ends, however it ends. Where it cannot lock folders
    (Windows, some network disks) there is no protection. Raises CheckpointError when another process holds the lock or
    when the folder is not writable.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror or error})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"{folder}: cannot be written (it is read-only for you); its contents are unchanged")
    handle = _lock(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """The file descriptor that holds the lock, to be closed at the end; None where there are no such locks."""
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
            f"{folder}: another process is training in this folder; wait for it to end, or choose another --out"
        ) from None
    except OSError:
        pass
    return handle
