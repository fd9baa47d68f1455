"""Reading `.npz` files that may come from anywhere: plain numbers, no larger in memory than on the disk, no pickles.

A `.npz` is a zip archive of arrays. A zip can unfold a kilobyte into gigabytes and an array's header can announce any
size, so both are held against the size of the file before anything is read.
"""

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import size_of

KINDS = "fiub"  # floats, integers, unsigned ones, booleans
ZIP_MEMBER = b"PK\x03\x04"
LARGEST_HEADER = 10_000  # characters


def read_npz(path, error):
    """{name: array} of the file at `path`; `error`, one line that names the file, for whatever else it is."""
    path = Path(path)
    try:
        size = size_of(path)
        with zipfile.ZipFile(path) as archive:
            archive.fp.seek(0)
            if archive.fp.read(4) != ZIP_MEMBER:
                raise ValueError("it does not begin like one")
            members = archive.infolist()
            names = [member.filename for member in members]
            if any(member.compress_type != zipfile.ZIP_STORED for member in members) or len(set(names)) < len(names):
                raise ValueError("expected arrays that are stored as they are, each once")
            if sum(member.file_size for member in members) > size:
                raise ValueError("it announces more than it holds")
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{path}: there is no checkpoint here") from None
    except (OSError, ValueError, RuntimeError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as problem:
        reason = getattr(problem, "strerror", None) or (str(problem).splitlines() or [type(problem).__name__])[0]
        raise error(f"{path}: not a readable checkpoint ({printable(reason)[:300]})") from None


def _array(archive, member):
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise ValueError(f"{member.filename}: array format {version} is unknown")
        try:
            shape, fortran, dtype = read_header(file, LARGEST_HEADER)
        except (SyntaxError, tokenize.TokenError, TypeError, MemoryError, RecursionError):
            raise ValueError(f"{member.filename}: its header is damaged") from None
        data = file.read()  # to the end, where the checksum is
    if dtype.kind not in KINDS or dtype.hasobject or dtype.shape:
        raise ValueError(f"{member.filename}: expected numbers, got {dtype}")
    if any(size < 0 for size in shape) or len(shape) > 32:
        raise ValueError(f"{member.filename}: the shape {shape} is none")
    array = np.frombuffer(data, dtype)  # ValueError where bytes are left over
    return array.reshape(shape, order="F" if fortran else "C").copy()
