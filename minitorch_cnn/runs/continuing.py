"""What is said when a training ends early: which checkpoint was kept, and how to continue."""

import contextlib
import signal
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from minitorch_cnn.errors import CheckpointError, DataError, UserError
from minitorch_cnn.files.memory import is_lack_of_memory, too_little_memory
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.facts import is_whole
from minitorch_cnn.training.interrupts import Ended, Interrupted, ignore_interrupts

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
    except KeyboardInterrupt as error:
        if not folder.config.exists():
            raise
        with ignore_interrupts():
            message = f"{str(error) or 'interrupted'}; {kept(paths)}; continue with: {command}"
        raise Ended(getattr(error, "number", signal.SIGINT), message) from None
    except (CheckpointError, DataError) as error:  # the user can free disk space, or restore what is missing
        if not folder.config.exists():
            raise
        raise _longer(error, f"{kept(paths)}; then continue with: {command}") from None
    except UserError as error:
        if not folder.config.exists():
            raise
        raise _longer(error, *([kept(paths)] if any(map(checkpoint.exists, paths)) else [])) from None
    except Exception as error:
        if is_lack_of_memory(error) and folder.config.exists():
            traceback.clear_frames(error.__traceback__)  # their arrays leave no room to read the checkpoint
            raise _longer(too_little_memory(error), kept(paths), f"continue with: {command}") from None
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
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        return f"kept: {path}" if is_lack_of_memory(error) else "no good checkpoint"


def place(facts: dict[str, Any]) -> str:
    """At which epoch and batch a checkpoint with these `facts` was written, in words."""
    epoch, batch = facts["epoch"], facts["batch"]
    if not (is_whole(epoch) and is_whole(batch)):
        raise ValueError("its epoch or batch is not valid")
    return f"epoch {epoch + 1} after batch {batch}" if batch or not epoch else f"after epoch {epoch}"


def _longer(error: AnyUserError, *words: str) -> AnyUserError:
    """The error with more words, made printable because the settings, and the file names in them, are untrusted."""
    longer = type(error)(printable("; ".join([str(error), *words])))
    longer.__dict__.update(error.__dict__)  # keeps marks such as `together`, which `parallel.fail` reads
    return longer
