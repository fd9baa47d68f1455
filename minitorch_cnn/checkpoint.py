"""Checkpoints: everything a training needs to go on as if nothing had happened, in one file, replaced in one step.

The file is a NumPy `.npz` without pickles: numbered arrays, and a JSON text that says what each is. It is written
beside the old one and renamed over it when it is whole and on the disk, so whatever happens there is always one good
checkpoint.
"""

import contextlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import CheckpointError

FORMAT = 1


def save(path, arrays, facts):
    """Write `arrays` ({tuple of strings: array}) and `facts` (anything JSON can hold) to `path`, all or nothing.

    Raises CheckpointError, and leaves an older file as it was, when the folder or the disk does not allow it.
    """
    path = Path(path)
    keys = list(arrays)
    text = json.dumps({"format": FORMAT, "keys": [list(key) for key in keys], "facts": facts}, allow_nan=True)
    entries = {str(number): np.asarray(arrays[key]) for number, key in enumerate(keys)}
    with replacing(path) as file:
        np.savez(file, description=np.frombuffer(text.encode(), np.uint8), **entries)


def load(path):
    """(arrays, facts) as they were saved; CheckpointError when the file is missing, damaged or of another kind."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            description = json.loads(file["description"].tobytes())
            if description.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path}: expected a checkpoint of format {FORMAT}, got {description.get('format')!r}"
                )
            arrays = {tuple(key): file[str(number)] for number, key in enumerate(description["keys"])}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no checkpoint here") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not a readable checkpoint ({_first_line(error)})") from None
    return arrays, description["facts"]


@contextlib.contextmanager
def replacing(path):
    """A binary file to write to, that takes the place of `path` when it is whole and on the disk, and not before."""
    path = Path(path)
    name = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
        name = None
        _sync_folder(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror or error}); the older file is as it was"
        ) from None
    finally:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Make the renaming itself last through a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
