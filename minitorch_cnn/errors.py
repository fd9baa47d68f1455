"""The errors that a user can cause and correct; each message is one line: the thing, what was expected, what was given.

The command line prints that line for every `UserError` and exits with code 2. In Python each class is also the built-in
exception that a caller would expect to catch (`ValueError`, `OSError`, ...).

`require` stands here as well, because every room imports optional packages: NumPy is all that the engine needs, so each
other package is imported where it is used, and its absence is an error of this kind.
"""

import importlib
from typing import Any

PIP_NAMES = {"PIL": "Pillow"}  # where the name to install is not the name to import


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
        """One line that explains a MemoryError raised by Python or NumPy."""
        reason = str(error).partition("\n")[0]
        return f"too little memory{f' ({reason})' if reason else ''}; a smaller batch size takes less"


class BackendError(UserError, RuntimeError):
    """An array library or device was requested that is not available here."""


class MissingPackage(UserError, ImportError):
    """A package is not installed, and what was asked for is not possible without it."""


def require(module: str, purpose: str) -> Any:
    """Import `module` and return it.

    Arguments: `module` as an import statement names it ("PIL.Image"); `purpose` what needs it, in words that can begin
    a sentence ("reading an image file"). Raises MissingPackage, whose line names the package, what needed it and the
    command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:  # of the module, or of a package that it needs itself
        name = (error.name or module).partition(".")[0]
        package = PIP_NAMES.get(name, name)
        raise MissingPackage(f"{purpose} needs {package}, which is not installed: pip install {package}") from None
    except ImportError as error:
        name = module.partition(".")[0]
        package = PIP_NAMES.get(name, name)
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise MissingPackage(
            f"{purpose} needs {package}, which cannot be imported ({reason}): pip install --force-reinstall {package}"
        ) from None
