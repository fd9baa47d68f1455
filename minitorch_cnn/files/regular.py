"""Reading untrusted files: a pipe would block, a device never ends, and a regular file may be of any size."""

import errno
import io
import os
import stat
from pathlib import Path


def size_of(path: str | Path) -> int:
    """The size of the file at `path` in bytes; raises OSError, with a readable reason, unless it is regular."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status.st_size


def require_replaceable(path: str | Path) -> None:
    """Raise OSError, with a readable reason, if at `path` there is a device or a pipe, which no file should replace."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a device or a pipe")


def place_to_write(path: str | Path) -> Path:
    """Where a file that the user named is written: at that path, or if that is a link, at what it leads to.

    Raises OSError, with a readable reason, for links in a circle, a folder that is missing, and a folder, a device or a
    pipe in the file's place.
    """
    place = Path(os.path.realpath(os.path.expanduser(path)))
    if os.path.islink(place):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not place.parent.is_dir():
        raise OSError(errno.ENOENT, f"there is no folder {place.parent}")
    if place.is_dir():
        raise OSError(errno.EISDIR, "it is a folder")
    require_replaceable(place)
    return place


def leads_outside(path: Path, root: Path) -> bool:
    """Whether `path` is a link to something outside the folder `root`, or to nothing."""
    if not os.path.islink(path):
        return False
    try:
        return not path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a broken link, or links in a circle
        return True


def read_small(path: str | Path, limit: int) -> bytes:
    """The bytes of a regular file; raises OSError, with a readable reason, when it has more than `limit`."""
    size = size_of(path)
    if size > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit:,} bytes, got {size:,}")
    with open(path, "rb") as file:
        return file.read(limit)


class ShortReads(io.BufferedReader):
    """A file of which at most `longest` bytes can be read at a time; ValueError for more.

    `zipfile` reads the list of all members at once and makes an object of every entry, which takes ten times as much.
    """

    def __init__(self, path: str | Path, longest: int) -> None:
        super().__init__(io.FileIO(path))
        self.longest = longest

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(self.longest + 1 if size is None or size < 0 else min(size, self.longest + 1))
        if len(data) > self.longest:
            raise ValueError(f"the list of what it contains has over {self.longest:,} bytes")
        return data
