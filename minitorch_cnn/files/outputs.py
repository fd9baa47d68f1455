"""Files that the user names to be written: looked at before the work begins, so that a typing error costs nothing.

--csv photo.jpg      forgot the name of the table? The photo stays as it is.
--page /dev/null     a device is not a file that another could replace
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from minitorch_cnn.errors import ArgumentError
from minitorch_cnn.files.regular import require_replaceable

IMAGES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
# What a table or a page would hardly be called, and what is read: images, weights, archives.
OTHERS = (*IMAGES, ".npz", ".npy", ".h5", ".hdf5", ".keras", ".onnx", ".json", ".tar", ".zip", ".gz", ".bin")
RUN = ("config.json", "report.html")  # files of a run folder, besides its tables with or without a phase's name
TABLE = re.compile(r"(history|predictions)(-top|-all)?\.csv")


def file_to_write(option: str, name: str | Path, inputs: Iterable[str | Path] = ()) -> Path:
    """The path to write for the `name` given with `option`, such as "--csv"; if that is a link, what it leads to.

    `inputs` are files that are read, and run folders, whose own files are not replaced. Raises ArgumentError if the
    name cannot be that of a new or replaced file: a folder, a device, an input, an image, or in a folder that is none
    or is not writable.
    """
    path = Path(os.path.expanduser(name))
    expected = f"{option}: expected the name of a file to write"
    if not path.name or path.is_dir():
        raise ArgumentError(f"{expected}, got the folder {path}")
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.suffix.lower() in OTHERS:
        raise ArgumentError(f"{expected}, got {name}, whose name is that of another kind of file")
    try:
        if path.is_symlink():  # still, so links lead in a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        require_replaceable(path)
        if any(_belongs_to(path, Path(read)) for read in inputs if path.exists()):
            raise ArgumentError(f"{expected}, got {name}, which belongs to what is read")
        above = next(folder for folder in path.absolute().parents if folder.exists())
    except (OSError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"{expected}, got {name}: {getattr(error, 'strerror', None) or error}") from None
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        reason = "cannot be written" if above.is_dir() else "is not a folder"
        raise ArgumentError(f"{expected}, got {name}, but {above} {reason}")
    return path


def _belongs_to(path: Path, read: Path) -> bool:
    """Whether an existing `path` is the file that is read, or one of the files of that run folder."""
    if read.is_dir():
        own = path.name in RUN or TABLE.fullmatch(path.name)
        return bool(own) and (read / RUN[0]).exists() and path.parent.samefile(read)
    return read.exists() and path.samefile(read)
