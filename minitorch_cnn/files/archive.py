"""Unpacking selected files of an untrusted archive.

An archive can contain paths outside the folder, links, devices, or a terabyte of zeros. Here the caller chooses which
members to unpack and what to name them; nothing else is written, and sizes are limited before anything is unpacked.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

from minitorch_cnn.errors import DataError
from minitorch_cnn.files.printable import printable

MIB = 1 << 20
Opener = Callable[[], IO[bytes]]
Members = Iterator[tuple[str, int, Opener]]  # name, size in bytes, function that opens the member
# What Python's archive modules raise for damaged archives; the last three for names that are empty, not text or cut off
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, LookupError,
          ValueError, struct.error)  # fmt: skip


def unpack(
    archive: str | Path, wanted: Callable[[str], str | None], folder: str | Path, *, largest: int, total: int
) -> list[str]:
    """Unpack the wanted files of a .tar.gz or .zip archive into a folder, and return the names of all regular members.

    Arguments: `archive`, its path; `wanted`, a function from a member's name to its path inside `folder`, or to None to
    leave it out; `folder`, which appears once everything is unpacked (if it exists already, files are moved into it one
    by one, each completely or not at all); `largest`, the most bytes that one file may have; `total`, the most bytes
    that the whole archive may unpack to.

    Raises DataError when the archive is damaged or exceeds a limit.
    """
    archive, folder = Path(archive), Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    names = []
    with (
        _archive_errors(archive),
        tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent, ignore_cleanup_errors=True) as temporary,
    ):
        inside = Path(temporary, "files")
        inside.mkdir()
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        for name, size, open_member in members(archive, total):
            names.append(name)
            target, name = wanted(name), printable(name)[:100]
            if target is None:
                continue
            if size > largest:
                raise DataError(f"{archive}: {name}: expected at most {largest} bytes, got {size}")
            path = inside / target
            if not path.resolve().is_relative_to(inside.resolve()):
                raise DataError(f"{archive}: {name}: expected a path inside the archive's folder, got one outside it")
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, MIB)
            if path.stat().st_size != size:
                raise DataError(f"{archive}: {name}: expected {size} bytes, got {path.stat().st_size}")
        _put_in_place(inside, folder)
    return names


def _put_in_place(inside: Path, folder: Path) -> None:
    """Move the unpacked files to their final names; another program may be doing the same at the same time."""
    try:
        os.rename(inside, folder)
    except OSError:
        # The folder exists, perhaps incomplete. Replacing file by file does not disturb programs that read from it.
        for path in sorted(path for path in inside.rglob("*") if path.is_file()):
            target = folder / path.relative_to(inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


def _tar_members(archive: Path, total: int) -> Members:
    """Yield the regular files in a .tar.gz."""
    with gzip.open(archive) as stream:
        limited = _Limited(stream, archive, total)
        with tarfile.open(fileobj=cast(IO[bytes], limited), mode="r|") as members:  # tarfile only calls its `read`
            for member in members:
                if member.isreg():  # no links, no devices
                    yield member.name, member.size, cast(Opener, partial(members.extractfile, member))
        while limited.read(MIB):  # up to the end, where gzip compares its checksum
            pass


def _zip_members(archive: Path, total: int) -> Members:
    """Yield the files in a .zip."""
    with zipfile.ZipFile(archive) as members:
        # zipfile never reads more of a member than its declared size, so it is enough to add up the declared sizes.
        if (size := sum(member.file_size for member in members.infolist())) > total:
            raise DataError(f"{archive}: expected at most {total // MIB} MiB when unpacked, got {size // MIB}")
        for member in members.infolist():
            if not member.is_dir():
                # Names in archives made on Windows may contain backslashes.
                yield member.filename.replace("\\", "/"), member.file_size, partial(members.open, member)


class _Limited:
    """A stream that refuses to yield more than `total` bytes; headers, padding and unwanted files count as well."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, archive: Path, total: int):
        self.stream, self.archive, self.total, self.left = stream, archive, total, total

    def read(self, size: int) -> bytes:
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise DataError(f"{self.archive}: expected at most {self.total // MIB} MiB when unpacked, got more")
        return data


@contextlib.contextmanager
def _archive_errors(archive: Path) -> Iterator[None]:
    """Turn every error while reading the archive into a DataError of one line."""
    try:
        yield
    except DataError:
        raise
    except DAMAGE as error:
        reason = printable(error)[:300]
        raise DataError(f"{archive}: expected a complete .tar.gz or .zip, got a damaged archive ({reason})") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(f"{archive}: no space left on the disk to unpack it") from None
        raise DataError(f"{archive}: cannot be unpacked: {error}") from None
