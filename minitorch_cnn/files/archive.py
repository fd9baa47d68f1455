"""Taking named files out of an archive that somebody else made.

An archive can name files outside the folder, links, devices, or a terabyte of zeros. Here the caller says which members
it wants and what they are to be called; nothing else is written, and sizes are limited before anything is unpacked.
"""

import contextlib
import errno
import gzip
import os
import pathlib
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib

from minitorch_cnn.errors import DataError
from minitorch_cnn.files.printable import printable

MIB = 1 << 20
# What the readers of archives raise for damaged ones: the last three where a name is empty, no text, or cut off.
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, LookupError,
          ValueError, struct.error)  # fmt: skip


def unpack(archive, wanted, folder, *, largest, total):
    """Unpack the wanted files of a .tar.gz or .zip archive into a folder.

    archive  its path
    wanted   a function from a member's name to the file's path inside `folder`, or None to leave it out
    folder   it appears when everything is unpacked; where it exists already, files are put into it one by one, each
             whole or not at all
    largest  bytes that one file may have
    total    bytes that the whole archive may unpack to

    Returns the names of all regular members, wanted or not. Raises DataError for an archive that is damaged or exceeds
    a limit.
    """
    archive, folder = pathlib.Path(archive), pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    names = []
    with (
        _archive_errors(archive),
        tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder.parent, ignore_cleanup_errors=True) as temporary,
    ):
        inside = pathlib.Path(temporary, "files")
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
                raise DataError(f"{archive}: {name}: expected a name inside the archive's folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, MIB)
            if path.stat().st_size != size:
                raise DataError(f"{archive}: {name}: expected {size} bytes, got {path.stat().st_size}")
        _put_in_place(inside, folder)
    return names


def _put_in_place(inside, folder):
    """Give the unpacked files their final names; another program may be doing the same."""
    try:
        os.rename(inside, folder)
    except OSError:
        # The folder is there, whole or not. Replacing file by file leaves whoever reads from it undisturbed.
        for path in sorted(path for path in inside.rglob("*") if path.is_file()):
            target = folder / path.relative_to(inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


def _tar_members(archive, total):
    """Yield (name, bytes, function that opens it) of the regular files in a .tar.gz."""
    with gzip.open(archive) as stream:
        limited = _Limited(stream, archive, total)
        with tarfile.open(fileobj=limited, mode="r|") as members:
            for member in members:
                if member.isreg():  # no links, no devices
                    yield member.name, member.size, lambda member=member: members.extractfile(member)
        while limited.read(MIB):  # to the end, where gzip keeps its checksum
            pass


def _zip_members(archive, total):
    """Yield (name, bytes, function that opens it) of the files in a .zip."""
    with zipfile.ZipFile(archive) as members:
        # zipfile reads no more of a member than the size it announces, so the announced sizes can be added up.
        if (size := sum(member.file_size for member in members.infolist())) > total:
            raise DataError(f"{archive}: expected at most {total // MIB} MiB when unpacked, got {size // MIB}")
        for member in members.infolist():
            if not member.is_dir():
                # Archives made on Windows may have backslashes.
                yield member.filename.replace("\\", "/"), member.file_size, lambda member=member: members.open(member)


class _Limited:
    """A stream that gives at most `total` bytes: headers, padding and unwanted files count as well."""

    def __init__(self, stream, archive, total):
        self.stream, self.archive, self.total, self.left = stream, archive, total, total

    def read(self, size):
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise DataError(f"{self.archive}: expected at most {self.total // MIB} MiB when unpacked, got more")
        return data


@contextlib.contextmanager
def _archive_errors(archive):
    """Say in one line what is wrong with an archive."""
    try:
        yield
    except DataError:
        raise
    except DAMAGE as error:
        reason = printable(error)[:300]
        raise DataError(f"{archive}: expected a whole .tar.gz or .zip archive, got a damaged one ({reason})") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DataError(f"{archive}: no space left on the disk to unpack it") from None
        raise DataError(f"{archive}: cannot be unpacked: {error}") from None
