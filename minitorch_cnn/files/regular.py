"""Reading untrusted files: a pipe would block, a device never ends, and a regular file may be of any size."""

import errno
import os
import stat
from pathlib import Path


def size_of(path: str | Path) -> int:
    """The size of the file at `path` in bytes; raises OSError, with a readable reason, unless it is regular."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return status.st_size


def read_small(path: str | Path, limit: int) -> bytes:
    """The bytes of a regular file; raises OSError, with a readable reason, when it has more than `limit`."""
    size = size_of(path)
    if size > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit:,} bytes, got {size:,}")
    with open(path, "rb") as file:
        return file.read(limit)
