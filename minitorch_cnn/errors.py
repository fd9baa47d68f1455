"""What a user can get wrong, as exceptions of one line: the thing, what was expected, what came.

The command line turns every `UserError` into that line and exit code 2; from Python each is also the built-in error
that a caller would look for (`ValueError`, `FileNotFoundError`, ...).
"""


class UserError(Exception):
    """Something the caller can put right; the message is one line that says how."""


class ShapeError(UserError, ValueError):
    """An array or a layer has another shape than its place in the model needs."""


class ArgumentError(UserError, ValueError):
    """An argument has a value that means nothing here."""


class LabelError(UserError, ValueError):
    """Labels that do not fit the model's output or the loss."""


class DataError(UserError, OSError):
    """A data set that is missing, incomplete or damaged on disk, or could not be downloaded."""


class WeightsError(UserError, ValueError):
    """A weight file that cannot be read, or does not fit the model."""


class CheckpointError(UserError, OSError):
    """A checkpoint or run folder that cannot be written, read or resumed."""


class TrainingError(UserError, ArithmeticError):
    """Training cannot go on, for instance because the loss is no longer a number."""


class TooLittleMemory(UserError, MemoryError):
    """The machine has less memory than what was asked for takes."""

    @staticmethod
    def words(error):
        """What to say of the MemoryError that Python or NumPy raised."""
        reason = str(error).partition("\n")[0]
        return f"too little memory{f' ({reason})' if reason else ''}; a smaller batch size takes less"


class BackendError(UserError, RuntimeError):
    """An array library or device that was asked for and is not there."""
