"""Checkpoints: all that a training needs to continue as if it had never stopped, in one file that is replaced at once.

The file is a NumPy `.npz` without pickles: numbered arrays, and a JSON text that says what each of them is. It is
written beside the old file and renamed over it once it is complete and on the disk, so whatever happens, there is
always one good checkpoint. The previous one can be kept as well, in case the disk damages the newest.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from minitorch_cnn.errors import CheckpointError
from minitorch_cnn.files.npz import read_npz
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.replacing import replacing

FORMAT = 2
READABLE = (1, 2)  # 1 holds no records of a training's settings and data
LONGEST_DESCRIPTION = 1 << 24  # bytes; each file of an image folder takes about fifty

State: TypeAlias = "tuple[dict[tuple[str, ...], np.ndarray], dict[str, Any]]"  # (arrays, facts)


def save(path: str | Path, arrays: Mapping[Any, Any], facts: dict[str, Any], keep_previous: bool = False) -> None:
    """Write `arrays` ({tuple of strings: array}) and `facts` (anything JSON can hold) to `path`, all or nothing.

    With `keep_previous` the file that it replaces is kept beside it, for `load_last`. Raises CheckpointError, and
    leaves an older file as it was, if the file cannot be written.
    """
    path = Path(path)
    keys = list(arrays)
    text = json.dumps({"format": FORMAT, "keys": [list(key) for key in keys], "facts": facts}, allow_nan=True)
    entries: dict[str, Any] = {str(number): np.asarray(arrays[key]) for number, key in enumerate(keys)}
    with replacing(path, previous(path) if keep_previous else None) as file:
        np.savez(file, description=np.frombuffer(text.encode(), np.uint8), **entries)


def load(path: str | Path, longest: int = LONGEST_DESCRIPTION, what: str = "checkpoint") -> State:
    """(arrays, facts) as they were saved; CheckpointError if the file is missing, damaged or of another kind.

    So is one whose description has more than `longest` bytes, because Python's objects take 25 times as many. `what` is
    the word for the file in these errors.
    """
    entries = read_npz(path, CheckpointError, what)
    try:
        if entries["description"].nbytes > longest:
            raise ValueError(f"expected a description of at most {longest:,} bytes")
        description = json.loads(entries["description"].tobytes())
        if description["format"] not in READABLE:
            got, last = printable(description["format"])[:40], READABLE[-1]
            raise CheckpointError(f"{path}: expected a {what} of format {READABLE[0]} to {last}, got format {got};"
                                  " was it written by a newer version of minitorch_cnn?")  # fmt: skip
        keys, facts = [tuple(map(_text, key)) for key in description["keys"]], description["facts"]
        if not isinstance(facts, dict) or len(set(keys)) < len(keys):
            raise ValueError("its description is damaged")
        return {key: entries[str(number)] for number, key in enumerate(keys)}, facts
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a readable {what} ({_first_line(error)})") from None


def load_last(path: str | Path) -> tuple[dict[tuple[str, ...], np.ndarray], dict[str, Any], str | None]:
    """(arrays, facts, None), or the previous checkpoint and a line that says so if `path` is gone or damaged.

    Raises CheckpointError if there is no good checkpoint.
    """
    try:
        return *load(path), None
    except CheckpointError as error:
        older = previous(path)
        if not older.exists():
            raise
        try:
            return *load(older), f"{error}; continuing from the previous one, {older}"
        except CheckpointError as second:
            raise CheckpointError(f"{error}; and {second}") from None


def previous(path: str | Path) -> Path:
    """Where the checkpoint before the one at `path` is kept."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def exists(path: str | Path) -> bool:
    """Whether there is a checkpoint for `load_last` to read."""
    return Path(path).exists() or previous(path).exists()


def _text(value):
    if not isinstance(value, str):
        raise ValueError(f"expected a name, got {value!r}")
    return value


def _first_line(error):
    return printable((str(error).splitlines() or [type(error).__name__])[0])[:300]
