"""A lock on a run folder: two trainings in one folder would overwrite each other's checkpoints.

The process that holds the lock also notices when the folder is moved away or deleted, instead of beginning a second
folder in its place.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.abandoned import POSIX, lock_now, remove_abandoned

NAME = ".lock"  # the file that is locked where a folder cannot be, as on Windows

_held: dict[str, tuple[int, Path]] = {}  # a folder locked by this process: (file descriptor with the lock, its path)


@contextlib.contextmanager
def only_one(folder: str | Path) -> Iterator[None]:
    """Hold an exclusive lock on `folder` during a `with` block; the folder is created if it does not exist.

    The operating system releases the lock when the process ends, however it ends. On network disks that know no locks,
    and without filelock, there is no protection. What killed processes left in the folder is deleted. Raises
    CheckpointError when another process holds the lock or when the folder is not writable.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error.strerror or error})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"{folder}: cannot be written (it is read-only for you); its contents are unchanged")
    handle, locked = _lock(folder)
    key = os.path.abspath(folder)
    _held[key] = handle, Path(os.path.abspath(locked))
    try:
        remove_abandoned(folder)
        yield
    finally:
        _held.pop(key, None)
        os.close(handle)
        if locked != folder and not POSIX:  # elsewhere another process could have opened it in the meantime
            with contextlib.suppress(OSError):
                locked.unlink()


def require_unmoved(folder: str | Path) -> bool:
    """Whether this process holds the lock on `folder`.

    Raises CheckpointError if it does, but the folder has been moved or deleted since, even if another has its path now.
    """
    key = os.path.abspath(folder)
    if key not in _held:
        return False
    handle, locked = _held[key]
    try:
        unmoved = os.path.samestat(os.stat(locked), os.fstat(handle))
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


def _lock(folder: Path) -> tuple[int, Path]:
    """(file descriptor that holds the lock, to be closed at the end; path of what is locked)."""
    try:
        handle, locked = os.open(folder, os.O_RDONLY), folder
    except OSError:  # Windows opens no folders
        locked = folder / NAME
        handle = os.open(locked, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    if lock_now(handle) is False:
        os.close(handle)
        raise CheckpointError(
            f"{folder}: another process is training in this folder; wait for it to end, or choose another --out"
        )
    return handle, locked
