"""Reading untrusted `.npz` files: plain numbers only, no larger in memory than on disk, and no pickles.

A `.npz` is a zip archive of arrays. A zip can expand a kilobyte into gigabytes and an array's header can declare any
size, so both are compared with the size of the file before anything is read.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import size_of

KINDS = "fiub"  # floats, integers, unsigned ones, booleans
ZIP_MEMBER = b"PK\x03\x04"
LARGEST_HEADER = 10_000  # characters


def read_npz(path: str | Path, error: Callable[[str], Exception]) -> dict[str, np.ndarray]:
    """The arrays of the `.npz` file at `path` by name.

    Raises `error`, an exception class, with one line that names the file, when it is missing or not such a file.
    """
    path = Path(path)
    try:
        size = size_of(path)
        with zipfile.ZipFile(path) as archive:
            stream = archive.fp
            assert stream is not None  # it is closed only at the end of the `with` block
            stream.seek(0)
            if stream.read(4) != ZIP_MEMBER:
                raise ValueError("it does not begin like a zip archive")
            members = archive.infolist()
            names = [member.filename for member in members]
            if any(member.compress_type != zipfile.ZIP_STORED for member in members) or len(set(names)) < len(names):
                raise ValueError("expected uncompressed arrays, each stored once")
            if sum(member.file_size for member in members) > size:
                raise ValueError("it declares more bytes than it holds")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{path}: there is no checkpoint here") from None
    except (OSError, ValueError, RuntimeError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or (str(problem).splitlines() or [type(problem).__name__])[0]
        raise error(f"{path}: not a readable checkpoint ({printable(reason)[:300]})") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{member.filename}: unknown array format {version}")
        try:
            shape, fortran, dtype = read_header(file, LARGEST_HEADER)
        except (SyntaxError, tokenize.TokenError, TypeError, MemoryError, RecursionError):
            raise ValueError(f"{member.filename}: its header is damaged") from None
        data = file.read()  # up to the end, so that zipfile compares the checksum
    if dtype.kind not in KINDS or dtype.hasobject or dtype.shape:
        raise ValueError(f"{member.filename}: expected numbers, got {dtype}")
    if any(size < 0 for size in shape) or len(shape) > 32:
        raise ValueError(f"{member.filename}: {shape} is not a valid shape")
    array = np.frombuffer(data, dtype)  # raises ValueError when bytes are left over
    return array.reshape(shape, order="F" if fortran else "C").copy()
