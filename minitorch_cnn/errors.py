"""The errors that a user can cause and correct; each message is one line: the thing, what was expected, what was given.

The command line prints that line for every `UserError` and exits with code 2. In Python each class is also the built-in
exception that a caller would expect to catch (`ValueError`, `OSError`, ...).
"""


class UserError(Exception):
    """Base class of errors that the caller can correct; the message is one line that says how."""


class ShapeError(UserError, ValueError):
    """An array or a layer does not have the shape that the model requires at this place."""


class ArgumentError(UserError, ValueError):
    """An argument has an invalid value."""


class LabelError(UserError, ValueError):
    """The labels do not fit the model's output or the loss."""


class DataError(UserError, OSError):
    """A data set is missing, incomplete or damaged on disk, or could not be downloaded."""


class WeightsError(UserError, ValueError):
    """A weight file cannot be read, or it does not fit the model."""


class CheckpointError(UserError, OSError):
    """A checkpoint or run folder cannot be written, read or resumed."""


class TrainingError(UserError, ArithmeticError):
    """Training cannot continue, for example because the loss has become NaN."""


class TooLittleMemory(UserError, MemoryError):
    """The machine does not have enough memory for what was asked for."""

    @staticmethod
    def describe(error: MemoryError) -> str:
        """Return one line that explains a MemoryError raised by Python or NumPy."""
        reason = str(error).partition("\n")[0]
        return f"too little memory{f' ({reason})' if reason else ''}; a smaller batch size takes less"


class BackendError(UserError, RuntimeError):
    """An array library or device was requested that is not available here."""
