"""Atomic replacement of a file: whatever happens, either the old file or the new one is there, never half of one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.abandoned import temporary_file
from minitorch_cnn.files.lock import require_unmoved
from minitorch_cnn.files.regular import place_to_write, require_replaceable


@contextlib.contextmanager
def replacing(path: str | Path, keep: str | Path | None = None) -> Iterator[BinaryIO]:
    """Yield a binary file to write to; it replaces `path` only once it is complete and flushed to the disk.

    If `keep` is given, the replaced file is kept under that name. A `~` at the beginning of `path` is the home folder.
    Missing folders are created, but not a folder that this process holds locked (`lock.py`): if that is missing, it was
    moved away. A link at `path` is itself replaced, not what it leads to, because a run folder may come from a
    stranger; a device is not. Raises CheckpointError when the file cannot be written.
    """
    path = Path(os.path.expanduser(path))
    try:
        require_replaceable(path)
        if not require_unmoved(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path) as (file, name):
            yield file
            file.flush()
            os.fsync(file.fileno())
            file.close()
            require_unmoved(path.parent)
            if keep is not None and path.exists():
                _give_second_name(path, keep)
            os.replace(name, path)
        _sync_folder(path.parent)
    except CheckpointError:
        raise
    except OSError as error:
        require_unmoved(path.parent)
        older = "; the older file is unchanged" if path.is_file() else ""
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error}){older}") from None


def named_place(path: str | Path) -> Path:
    """`place_to_write` for a file that the user named; CheckpointError where none can be written."""
    try:
        return place_to_write(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from None


def make_folder_of(path: str | Path) -> None:
    """Make the folder of a file that is going to be written, if it is missing; CheckpointError if that fails."""
    try:
        Path(os.path.expanduser(path)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error})") from None


def _give_second_name(path: Path, keep: str | Path) -> None:
    """Make `keep` a second name of the file at `path`, so that there is a file at `path` at every moment."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(keep)
    try:
        os.link(path, keep)
    except OSError:  # no hard links on this disk, so for a moment `path` is missing; `load_last` handles that
        os.replace(path, keep)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
