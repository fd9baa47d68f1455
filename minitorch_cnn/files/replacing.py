"""Atomic replacement of a file: whatever happens, either the old file or the new one is there, never half of one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minitorch_cnn.errors import CheckpointError


@contextlib.contextmanager
def replacing(path: str | Path, keep: str | Path | None = None) -> Iterator[BinaryIO]:
    """Yield a binary file to write to; it replaces `path` only once it is complete and flushed to the disk.

    If `keep` is given, the replaced file is kept under that name. Raises CheckpointError when it cannot be written.
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
            f"{path}: cannot be written ({error.strerror or error}); the older file is unchanged"
        ) from None
    finally:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _give_second_name(path: Path, keep: str | Path) -> None:
    """Make `keep` a second name of the file at `path`, so that there is a file at `path` at every moment."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(keep)
    try:
        os.link(path, keep)
    except OSError:  # no hard links on this disk, so for a moment `path` is missing; `load_last` handles that
        os.replace(path, keep)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
