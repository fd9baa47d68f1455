"""What is said when a training ends before its time: what was kept, and how to go on."""

import contextlib

from minitorch_cnn import checkpoint
from minitorch_cnn.errors import CheckpointError, DataError
from minitorch_cnn.interrupts import Interrupted


@contextlib.contextmanager
def saying_what_is_kept(folder, path, command):
    """Context that adds to the message of what ended a training what is kept at `path`, and the `command` to go on.

    To an exception that nobody thought of it is added as `going_on`, for below the traceback. In a run `folder` that
    holds no settings yet there is nothing to go on with.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        if not folder.config.exists():
            raise
        raise KeyboardInterrupt(f"interrupted; {kept(path)}; go on with: {command}") from None
    except (CheckpointError, DataError) as error:
        if not folder.config.exists():
            raise
        raise type(error)(f"{error}; {kept(path)}; then go on with: {command}") from None
    except Exception as error:
        if folder.config.exists():
            error.going_on = f"minitorch-cnn: {kept(path)}; go on with: {command}"
        raise


def kept(path):
    """The good checkpoint there is, looked at now."""
    if not checkpoint.exists(path):
        return "no checkpoint yet"
    try:
        _, facts, damage = checkpoint.load_last(path)
        place = checkpoint.previous(path) if damage else path
        return f"kept: {place}, epoch {facts['epoch'] + 1} after batch {facts['batch']}"
    except (CheckpointError, KeyError, TypeError) as error:
        return f"no good checkpoint ({error})"
