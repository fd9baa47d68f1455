"""Unpacking selected files of an untrusted archive.

An archive can contain paths outside the folder, links, devices, a terabyte of zeros, or a name of a gigabyte. Here the
caller chooses which members to unpack and what to name them; nothing else is written, and sizes are limited before
anything is unpacked. Python's archive modules read some things whole, so a single read is limited too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast

from minitorch_cnn.errors import DataError
from minitorch_cnn.files.abandoned import temporary_folder
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import ShortReads

MIB = 1 << 20
BLOCK = 1 << 14  # bytes; the longest read from a .tar.gz, and so the longest name or other header in it
HEADERS = 1 << 20  # bytes; the most that may stand before a member, all of which Python keeps
LISTED = 256  # bytes for each member that a .zip may have in its list
ZIP_COMMENT = 1 << 17  # bytes; more than the longest comment that a .zip can have
Opener = Callable[[], IO[bytes]]
Members = Iterator[tuple[str, int, Opener]]  # name, size in bytes, function that opens the member
# What Python's archive modules raise for damaged archives; the last three for names that are empty, not text or cut off
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, LookupError,
          ValueError, OverflowError, struct.error)  # fmt: skip


def unpack(
    archive: str | Path, wanted: Callable[[str], str | None], folder: str | Path, *, largest: int, total: int, most: int
) -> list[str]:
    """Unpack the wanted files of a .tar.gz or .zip archive into a folder, and return the names of all regular members.

    Arguments: `archive`, its path; `wanted`, a function from a member's name to its path inside `folder`, or to None to
    leave it out; `folder`, which appears once everything is unpacked (if it exists already, files are moved into it one
    by one, each completely or not at all); `largest`, the most bytes that one file may have; `total`, the most bytes
    that the archive may have and unpack to; `most`, the most members that it may have.

    Raises DataError when the archive is damaged or exceeds a limit.
    """
    archive, folder = Path(archive), Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    names = []
    with _archive_errors(archive), temporary_folder(folder) as temporary:
        if archive.stat().st_size > total:
            raise DataError(f"{archive}: expected at most {total // MIB} MiB, got {archive.stat().st_size // MIB:,}")
        inside = temporary / "files"
        inside.mkdir()
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        for name, size, open_member in members(archive, total, most):
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
                shutil.copyfileobj(source, copy, BLOCK)
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


def _tar_members(archive: Path, total: int, most: int) -> Members:
    """Yield the regular files in a .tar.gz."""
    with archive.open("rb") as file:
        stream = _Unzipped(file, archive, total, most)
        # tarfile only calls `read`, `seek` and `tell`.
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as members:
            for number, member in enumerate(members, 1):
                _check_number(archive, number, most)
                stream.until = stream.position + member.size + HEADERS
                if member.isreg():  # no links, no devices
                    yield member.name, member.size, cast(Opener, partial(members.extractfile, member))
        stream.until = total
        while stream.read(BLOCK):  # up to the end, where the checksum is compared
            pass


def _zip_members(archive: Path, total: int, most: int) -> Members:
    """Yield the files in a .zip."""
    with ShortReads(archive, max(ZIP_COMMENT, LISTED * most)) as file, zipfile.ZipFile(file) as members:
        _check_number(archive, len(members.infolist()), most)
        # zipfile never reads more of a member than its declared size, so it is enough to add up the declared sizes.
        if (size := sum(member.file_size for member in members.infolist())) > total:
            raise DataError(f"{archive}: expected at most {total // MIB} MiB when unpacked, got {size // MIB}")
        for member in members.infolist():
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile unpacks the other kinds without a limit.
                raise DataError(f"{archive}: expected files that are stored or deflated, got another compression")
            if not member.is_dir():
                # Names in archives made on Windows may contain backslashes.
                yield member.filename.replace("\\", "/"), member.file_size, partial(members.open, member)


def _check_number(archive: Path, number: int, most: int) -> None:
    if number > most:
        raise DataError(f"{archive}: expected at most {most:,} files, got more")


class _Unzipped:
    """What a gzip file contains, as a stream that can only move forward, and that refuses to yield too much.

    Headers, padding and unwanted files count as well; so do reads, because a tar header can be followed by any number
    of further ones that belong to it.
    """

    def __init__(self, file: IO[bytes], archive: Path, total: int, most: int):
        self.file, self.archive, self.total = file, archive, total
        self.reads_left = 10 * most + total // BLOCK
        self.until = HEADERS  # the position before which the next member has to begin
        self.inflater, self.position = zlib.decompressobj(wbits=31), 0  # 31: a gzip header and its checksum

    def read(self, size: int) -> bytes:
        self.reads_left -= 1
        if size > BLOCK or self.reads_left < 0 or self.position > self.until:
            raise DataError(f"{self.archive}: expected ordinary headers, got one that is too long")
        parts = []
        while size > 0 and not self.inflater.eof:
            packed = self.inflater.unconsumed_tail or self.file.read(BLOCK)
            part = self.inflater.decompress(packed, size)
            if not packed and not part:
                raise EOFError("it ends too early")
            parts.append(part)
            size -= len(part)
            self.position += len(part)
            if self.position > self.total:
                raise DataError(f"{self.archive}: expected at most {self.total // MIB} MiB when unpacked, got more")
        return b"".join(parts)

    def seek(self, position: int) -> None:
        if position < self.position:
            raise tarfile.StreamError("its members are not in order")
        while self.position < position and self.read(min(BLOCK, position - self.position)):
            pass

    def tell(self) -> int:
        return self.position


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
