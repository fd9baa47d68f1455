"""What is said when a training ends before its time: what was kept, and how to go on."""

import contextlib

from minitorch_cnn.errors import CheckpointError, DataError, TooLittleMemory, UserError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.training import checkpoint
from minitorch_cnn.training.interrupts import Interrupted, deaf


@contextlib.contextmanager
def saying_what_is_kept(folder, paths, command):
    """Context that adds to the message of what ended a training what is kept at `paths`, and the `command` to go on.

    Of several checkpoints the first that is there is the newest. To an exception that nobody thought of it is added as
    `going_on`, for below the traceback. In a run `folder` that holds no settings yet there is nothing to go on with.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        if not folder.config.exists():
            raise
        with deaf():
            message = f"interrupted; {kept(paths)}; go on with: {command}"
        raise KeyboardInterrupt(message) from None
    except (CheckpointError, DataError) as error:  # somebody can make room, or put back what is missing
        if not folder.config.exists():
            raise
        raise _longer(error, f"{kept(paths)}; then go on with: {command}") from None
    except UserError as error:
        if not folder.config.exists():
            raise
        raise _longer(error, *([kept(paths)] if any(map(checkpoint.exists, paths)) else [])) from None
    except MemoryError as error:
        if not folder.config.exists():
            raise
        raise TooLittleMemory(f"{TooLittleMemory.describe(error)}; {kept(paths)}; go on with: {command}") from None
    except Exception as error:
        if folder.config.exists():
            error.going_on = f"minitorch-cnn: {kept(paths)}; go on with: {command}"
        raise


def kept(paths):
    """The good checkpoint there is, looked at now."""
    path = next(filter(checkpoint.exists, paths), None)
    if path is None:
        return "no checkpoint yet"
    try:
        _, facts, damage = checkpoint.load_last(path)
        return f"kept: {checkpoint.previous(path) if damage else path}, {place(facts)}"
    except (CheckpointError, KeyError, TypeError):
        return "no good checkpoint"


def place(facts):
    """Where in its training a checkpoint was written."""
    epoch, batch = facts["epoch"], facts["batch"]
    return f"epoch {epoch + 1} after batch {batch}" if batch or not epoch else f"after epoch {epoch}"


def _longer(error, *words):
    """The error with more words, fit for a terminal: the settings of a run name files, and may be a stranger's."""
    longer = type(error)(printable("; ".join([str(error), *words])))
    longer.__dict__.update(error.__dict__)  # whoever else knows of it (`parallel.fail`) still does
    return longer
