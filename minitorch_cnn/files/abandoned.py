"""Temporary files, and how those of a killed process are found and deleted.

A process that is killed cannot delete its temporary files. So each is locked while it is in use: the operating system
drops the lock when the process ends, however it ends, and a file that nobody has locked is abandoned. The lock does not
depend on process numbers, which are used again. A lock set on another computer may not be visible here, so the name
holds a mark of the computer, and the files of other computers are deleted only when they have not changed for a day.
Where there are no such locks (Windows, some network disks), this holds for all files.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

DAY = 86400  # seconds
COMPUTER = f"{zlib.crc32(platform.node().encode()):08x}"
NAME = re.compile(r"\.(.*)\.([0-9a-f]{8})\.[0-9a-f]{16}\.tmp", re.DOTALL)
POSIX = os.name == "posix"  # Windows renames no open file, and lets only the locked handle write to a locked file
STEM = 40  # characters of the final name that a temporary name repeats; no system allows names of any length


@contextlib.contextmanager
def temporary_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield (binary file, its path): a new file beside `path`, deleted at the end unless it has been renamed.

    Its permissions are those of the file at `path`, which it may replace, or those of any new file. Abandoned files of
    the same `path` are deleted first.
    """
    remove_abandoned(path.parent, path.name)
    while True:
        name = _new_name(path)
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        lock = os.dup(handle) if POSIX else None  # the lock lasts until both are closed
        if lock is None or (lock_now(lock) is not False and name.exists()):
            break
        os.close(lock)  # another process took the file for an abandoned one before it was locked
        os.close(handle)
    try:
        _take_permissions(path, name)
        with os.fdopen(handle, "wb") as file:
            yield file, name
    finally:
        with contextlib.suppress(OSError):
            name.unlink()
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, deleted at the end with all that is in it.

    Abandoned folders of the same `path` are deleted first.
    """
    remove_abandoned(path.parent, path.name)
    name, lock = _new_name(path), None
    name.mkdir(mode=0o700)
    with contextlib.suppress(OSError):  # Windows cannot open folders
        lock = os.open(name, os.O_RDONLY)
        lock_now(lock)
    try:
        yield name
    finally:
        shutil.rmtree(name, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned(folder: Path, name: str | None = None) -> None:
    """Delete the abandoned temporary files and folders in `folder`: those of the file `name`, or all (None)."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = NAME.fullmatch(entry.name)
            if match and (name is None or match[1] == name[:STEM]):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(entry, here=match[2] == COMPUTER)


def lock_now(handle: int) -> bool | None:
    """Lock a file until it is closed: whether that worked, or None where there are no such locks.

    There are none on some network disks, and none without filelock, which training does without.
    """
    try:
        from filelock import lock_descriptor

        return lock_descriptor(handle, blocking=False)
    except (ImportError, OSError):
        return None


def _take_permissions(path: Path, name: Path) -> None:
    """Give the new file the permissions of a regular file at `path`; the owner may write it in any case."""
    with contextlib.suppress(OSError):  # there is none, or the disk knows no permissions
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode):
            os.chmod(name, mode & 0o777 | 0o600)


def _new_name(path: Path) -> Path:
    return path.with_name(f".{path.name[:STEM]}.{COMPUTER}.{secrets.token_hex(8)}.tmp")


def _remove_if_abandoned(entry: os.DirEntry, here: bool) -> None:
    is_folder = entry.is_dir(follow_symlinks=False)
    if not (is_folder or entry.is_file(follow_symlinks=False)):
        return
    handle = os.open(entry.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        locked = lock_now(handle) if POSIX else None
        unchanged_for_a_day = time.time() - os.fstat(handle).st_mtime > DAY
        if locked is not False and (unchanged_for_a_day or (locked and here)):
            (shutil.rmtree if is_folder else os.unlink)(entry.path)
    finally:
        os.close(handle)
