"""Replacing a file as a whole: whatever happens, the old file or the new one is there, never half of one."""

import contextlib
import os
import tempfile
from pathlib import Path

from minitorch_cnn.errors import CheckpointError


@contextlib.contextmanager
def replacing(path, keep=None):
    """A binary file to write to, that takes the place of `path` when it is whole and on the disk, and not before.

    The file that it replaces gets the name `keep`, if one is given.
    """
    path = Path(path)
    name = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        if keep is not None and path.exists():
            _give_second_name(path, keep)
        os.replace(name, path)
        name = None
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror or error}); the older file is as it was"
        ) from None
    finally:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _give_second_name(path, keep):
    """`keep` becomes a name of the file at `path`, which at no moment is without a file."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(keep)
    try:
        os.link(path, keep)
    except OSError:  # a disk without second names; `load_last` knows of the moment between this and what follows
        os.replace(path, keep)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Make the renaming itself last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
