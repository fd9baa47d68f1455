"""Reading files of strangers: a pipe would be waited for, a device never ends, and a file may be of any size."""

import errno
import os
import stat


def size_of(path):
    """How many bytes the file at `path` has; OSError, with the reason in words, for what is no regular file."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    return status.st_size


def read_small(path, most):
    """The bytes of a regular file, which may be `most`; OSError, with the reason in words, where they are more."""
    size = size_of(path)
    if size > most:
        raise OSError(errno.EFBIG, f"expected at most {most:,} bytes, got {size:,}")
    with open(path, "rb") as file:
        return file.read(most)
