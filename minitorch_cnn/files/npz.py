"""Reading untrusted `.npz` files: plain numbers only, no larger in memory than on disk, and no pickles.

A `.npz` is a zip archive of arrays. A zip can expand a kilobyte into gigabytes and an array's header can declare any
size, so both are compared with the size of the file before anything is read.
"""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import ShortReads, size_of

LENGTHS = {(1, 0): "<H", (2, 0): "<I"}  # how each version of the format stores the length of its header
ZIP_MEMBER = b"PK\x03\x04"
LARGEST_HEADER = 2048  # bytes; an array of 32 axes needs less
HEADER = re.compile(
    rb"\{'descr': '([<>|=][fiub]\d{1,2})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n"
)
LONGEST_LIST = 4 << 20  # bytes of the list of arrays, which take about a hundred for each


def read_npz(path: str | Path, error: Callable[[str], Exception], what: str = "checkpoint") -> dict[str, np.ndarray]:
    """The arrays of the `.npz` file at `path` by name.

    Raises `error`, an exception class, with one line that names the file, when it is missing or not such a file; `what`
    is the word for it.
    """
    path = Path(os.path.expanduser(path))
    try:
        size = size_of(path)
        with ShortReads(path, LONGEST_LIST) as file:
            if (begins := file.read(4)) != ZIP_MEMBER:
                raise ValueError(f"expected a zip archive of arrays, got a file that begins with {begins!r}")
            archive = zipfile.ZipFile(file)
            file.longest = size
            members = archive.infolist()
            names = [member.filename for member in members]
            if any(member.compress_type != zipfile.ZIP_STORED for member in members) or len(set(names)) < len(names):
                raise ValueError("expected uncompressed arrays, each stored once")
            if sum(member.file_size for member in members) > size:
                raise ValueError("it declares more bytes than it holds")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{path}: there is no {what} here") from None
    except (OSError, ValueError, RuntimeError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or (str(problem).splitlines() or [type(problem).__name__])[0]
        raise error(f"{path}: not a readable {what} ({printable(reason)[:300]})") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in LENGTHS:
            raise ValueError(f"{member.filename}: unknown array format {version}")
        (length,) = struct.unpack(LENGTHS[version], file.read(struct.calcsize(LENGTHS[version])))
        header = HEADER.fullmatch(file.read(min(length, LARGEST_HEADER)))
        if header is None or length > LARGEST_HEADER:  # what NumPy writes for plain numbers, and nothing else
            raise ValueError(f"{member.filename}: expected numbers, with the header that NumPy writes for them")
        data = file.read()  # up to the end, so that zipfile compares the checksum
    kind, order, sizes = (part.decode() for part in header.groups())
    shape, dtype = tuple(int(size) for size in sizes.split(",") if size.strip()), np.dtype(kind)
    fortran = order == "True"
    if len(shape) > 32:
        raise ValueError(f"{member.filename}: expected at most 32 axes, got {len(shape)}")
    array = np.frombuffer(data, dtype)  # raises ValueError when bytes are left over
    return array.reshape(shape, order="F" if fortran else "C").copy()
