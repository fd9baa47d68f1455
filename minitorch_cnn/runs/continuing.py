"""What is said when a training ends early: which checkpoint was kept, and how to continue."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from minitorch_cnn.errors import CheckpointError, DataError, TooLittleMemory, UserError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.interrupts import Interrupted, ignore_interrupts

AnyUserError = TypeVar("AnyUserError", bound=UserError)


@contextlib.contextmanager
def report_last_checkpoint(folder: Any, paths: Sequence[Path], command: str) -> Iterator[None]:
    """Context that adds the checkpoint kept at `paths` and the `command` to continue to the error that ends a training.

    If several of the checkpoints exist, the first is the newest. An unexpected exception gets this line as its
    attribute `how_to_continue`, to be printed below the traceback. A run `folder` without a settings file has nothing
    to continue, so nothing is added.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        if not folder.config.exists():
            raise
        with ignore_interrupts():
            message = f"interrupted; {kept(paths)}; continue with: {command}"
        raise KeyboardInterrupt(message) from None
    except (CheckpointError, DataError) as error:  # the user can free disk space, or restore what is missing
        if not folder.config.exists():
            raise
        raise _longer(error, f"{kept(paths)}; then continue with: {command}") from None
    except UserError as error:
        if not folder.config.exists():
            raise
        raise _longer(error, *([kept(paths)] if any(map(checkpoint.exists, paths)) else [])) from None
    except MemoryError as error:
        if not folder.config.exists():
            raise
        raise TooLittleMemory(f"{TooLittleMemory.describe(error)}; {kept(paths)}; continue with: {command}") from None
    except Exception as error:
        if folder.config.exists():
            error.how_to_continue = f"minitorch-cnn: {kept(paths)}; continue with: {command}"  # type: ignore[attr-defined]
        raise


def kept(paths: Sequence[Path]) -> str:
    """Which good checkpoint exists right now, in words."""
    path = next(filter(checkpoint.exists, paths), None)
    if path is None:
        return "no checkpoint yet"
    try:
        _, facts, damage = checkpoint.load_last(path)
        return f"kept: {checkpoint.previous(path) if damage else path}, {place(facts)}"
    except (CheckpointError, KeyError, TypeError):
        return "no good checkpoint"


def place(facts: dict[str, Any]) -> str:
    """At which epoch and batch a checkpoint with these `facts` was written, in words."""
    epoch, batch = facts["epoch"], facts["batch"]
    return f"epoch {epoch + 1} after batch {batch}" if batch or not epoch else f"after epoch {epoch}"


def _longer(error: AnyUserError, *words: str) -> AnyUserError:
    """The error with more words, made printable because the settings, and the file names in them, are untrusted."""
    longer = type(error)(printable("; ".join([str(error), *words])))
    longer.__dict__.update(error.__dict__)  # keeps marks such as `together`, which `parallel.fail` reads
    return longer
