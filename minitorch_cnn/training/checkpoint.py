"""Checkpoints: everything a training needs to go on as if nothing had happened, in one file, replaced in one step.

The file is a NumPy `.npz` without pickles: numbered arrays, and a JSON text that says what each is. It is written
beside the old one and renamed over it when it is whole and on the disk, so whatever happens there is always one good
checkpoint; the one before it can be kept as well, for a disk that loses what it had.
"""

import json
from pathlib import Path

import numpy as np

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.npz import read_npz
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.replacing import replacing

FORMAT = 1


def save(path, arrays, facts, keep_previous=False):
    """Write `arrays` ({tuple of strings: array}) and `facts` (anything JSON can hold) to `path`, all or nothing.

    `keep_previous`: the file that is there now stays beside it, for `load_last`.
    Raises CheckpointError, and leaves an older file as it was, when the folder or the disk does not allow it.
    """
    path = Path(path)
    keys = list(arrays)
    text = json.dumps({"format": FORMAT, "keys": [list(key) for key in keys], "facts": facts}, allow_nan=True)
    entries = {str(number): np.asarray(arrays[key]) for number, key in enumerate(keys)}
    with replacing(path, previous(path) if keep_previous else None) as file:
        np.savez(file, description=np.frombuffer(text.encode(), np.uint8), **entries)


def load(path):
    """(arrays, facts) as they were saved; CheckpointError when the file is missing, damaged or of another kind."""
    entries = read_npz(path, CheckpointError)
    try:
        description = json.loads(entries["description"].tobytes())
        if description["format"] != FORMAT:
            got = str(description["format"])[:40]
            raise CheckpointError(f"{path}: expected a checkpoint of format {FORMAT}, got {got!r}")
        keys, facts = [tuple(map(_text, key)) for key in description["keys"]], description["facts"]
        if not isinstance(facts, dict) or len(set(keys)) < len(keys):
            raise ValueError("its description is not one")
        return {key: entries[str(number)] for number, key in enumerate(keys)}, facts
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({_first_line(error)})") from None


def load_last(path):
    """(arrays, facts, None), or where the file at `path` is gone or damaged the one before it and a line that says so.

    Raises the CheckpointError of the last one where there is no good one.
    """
    try:
        return *load(path), None
    except CheckpointError as error:
        older = previous(path)
        if not older.exists():
            raise
        try:
            return *load(older), f"{error}; going on from the one before it, {older}"
        except CheckpointError as second:
            raise CheckpointError(f"{error}; and {second}") from None


def previous(path):
    """Where the checkpoint before the one at `path` is kept."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def exists(path):
    """Whether there is something for `load_last`."""
    return Path(path).exists() or previous(path).exists()


def _text(value):
    if not isinstance(value, str):
        raise ValueError(f"expected a name, got {value!r}")
    return value


def _first_line(error):
    return printable((str(error).splitlines() or [type(error).__name__])[0])[:300]
