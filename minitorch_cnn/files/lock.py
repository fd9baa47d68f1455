"""A lock on a run folder: two trainings in one folder would overwrite each other's checkpoints.

The process that holds the lock also notices when the folder is moved away or deleted, instead of beginning a second
folder in its place.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.abandoned import lock_now, remove_abandoned

_held: dict[str, int | None] = {}  # path of a folder locked by this process: the file descriptor with the lock


@contextlib.contextmanager
def only_one(folder: str | Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` during a `with` block; the folder is created if it does not exist.

    The operating system releases the lock when the process ends, however it ends. Where it cannot lock folders
    (Windows, some network disks) there is no protection. What killed processes left in the folder is deleted. Raises
    CheckpointError when another process holds the lock or when the folder is not writable.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror or error})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"{folder}: cannot be written (it is read-only for you); its contents are unchanged")
    handle, key = _lock(folder), os.path.abspath(folder)
    _held[key] = handle
    try:
        remove_abandoned(folder)
        yield
    finally:
        _held.pop(key, None)
        if handle is not None:
            os.close(handle)


def require_unmoved(folder: str | Path) -> bool:
    """Whether this process holds the lock on `folder`.

    Raises CheckpointError if it does, but the folder has been moved or deleted since, even if another has its path now.
    """
    key = os.path.abspath(folder)
    if key not in _held:
        return False
    handle = _held[key]
    try:
        there = os.stat(key)
        unmoved = handle is None or os.path.samestat(there, os.fstat(handle))
    except (FileNotFoundError, NotADirectoryError):
        unmoved = False
    except OSError:  # a disk error; writing the file will report it
        unmoved = True
    if not unmoved:
        raise CheckpointError(
            f"{folder}: this folder was moved or deleted during training, so nothing was written; if it was moved,"
            " continue with --resume and its new path"
        )
    return True


def _lock(folder: Path) -> int | None:
    """The file descriptor that holds the lock, to be closed at the end; None where there are no such locks."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    if lock_now(handle) is False:
        os.close(handle)
        raise CheckpointError(
            f"{folder}: another process is training in this folder; wait for it to end, or choose another --out"
        )
    return handle
