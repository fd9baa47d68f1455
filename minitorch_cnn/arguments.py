"""Checks of arguments: each gives back the value in its plain type, or ArgumentError says what was expected.

NumPy's numbers are accepted and become Python's, because a np.float64 would turn float32 arrays into float64.
"""

import contextlib
import math
import os
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from minitorch_cnn.errors import ArgumentError

LONGEST_NAME = 300  # characters in the name of a layer


def shown(value: Any) -> str:
    """`value` as Python writes it, in one line of at most 100 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def number(value: Any, name: str, expected: str = "a number", fits: Callable[[float], bool] = math.isfinite) -> float:
    """`value` as a float if it is a number that `fits`, for example `lambda v: 0 <= v < 1`, which no NaN does."""
    try:
        if isinstance(value, Real) and not isinstance(value, bool) and fits(float(value)):
            return float(value)
    except OverflowError:  # an integer beyond all floats
        pass
    raise ArgumentError(f"{name}: expected {expected}, got {shown(value)}")


def at_least_zero(value: Any, name: str) -> float:
    """`value` as a float from 0 on, not infinite."""
    return number(value, name, "a number of at least 0", lambda v: 0 <= v < math.inf)


def above_zero(value: Any, name: str) -> float:
    """`value` as a float above 0, not infinite."""
    return number(value, name, "a number above 0", lambda v: 0 < v < math.inf)


def share(value: Any, name: str) -> float:
    """`value` as a float in [0, 1), such as the part of a moving average that stays."""
    return number(value, name, "a number in [0, 1)", lambda v: 0 <= v < 1)


def whole(value: Any, name: str, least: int = 1) -> int:
    """`value` as an int of at least `least`; 3.0 is accepted as well."""
    expected = f"a whole number of at least {least}"
    number(value, name, expected, lambda v: v >= least and v % 1 == 0)
    return int(value)


def sizes(shape: Any, name: str) -> tuple[int, ...]:
    """`shape` as a tuple of ints."""
    if isinstance(shape, (tuple, list)) and all(isinstance(size, Real) and size % 1 == 0 for size in shape):
        return tuple(int(size) for size in shape)
    raise ArgumentError(f"{name}: expected whole numbers such as (32, 32, 3), got {shown(shape)}")


def flag(value: Any, name: str) -> bool:
    """`value` as a bool; 0 and 1 are accepted as well."""
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise ArgumentError(f"{name}: expected True or False, got {shown(value)}")


def check_name(name: str, whose: str) -> None:
    """Check that a name can be printed and is not too long, as every file with it expects."""
    if not name.isprintable() or len(name) > LONGEST_NAME:
        expected = f"expected a name of at most {LONGEST_NAME} characters that can be printed"
        raise ArgumentError(f"{whose}: {expected}, got {shown(name)}")


def checked_multipliers(multipliers: dict | None) -> dict[str, float]:
    """A copy of {name: factor}; None gives {}. Raises ArgumentError for anything else or a factor below 0."""
    if multipliers is None:
        return {}
    if not isinstance(multipliers, dict):
        raise ArgumentError(f"multipliers: expected {{layer name: factor}}, got {multipliers!r}")
    for name, factor in multipliers.items():
        if not (isinstance(name, str) and isinstance(factor, Real) and 0 <= factor < math.inf):  # type: ignore[operator]
            raise ArgumentError(f"multipliers: expected a name and a factor of at least 0, got {name!r}: {factor!r}")
    return {name: float(factor) for name, factor in multipliers.items()}


def names_in(names: Any, what: str) -> list[str]:
    """`names` as a list of texts; a single text is refused, because its letters would be taken for names."""
    if isinstance(names, (list, tuple, set)) and all(isinstance(name, str) for name in names):
        return sorted(names) if isinstance(names, set) else list(names)
    raise ArgumentError(f"{what}: expected a list of names, got {shown(names)}")


def check_path(path: Any, name: str) -> Any:
    """`path`, of a file, with a `~` at its beginning replaced by the home folder."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ArgumentError(f"{name}: expected the path of a file, got {shown(path)}")
    if "\0" in os.fsdecode(path):
        raise ArgumentError(f"{name}: expected the path of a file, got {shown(path)}, which holds a null character")
    return os.path.expanduser(path)


def float_type(dtype: Any) -> np.dtype:
    """The NumPy type of float32 or float64, in which a model computes."""
    with contextlib.suppress(TypeError):  # what NumPy takes for no type at all
        if dtype is not None and (known := np.dtype(dtype)) in (np.float32, np.float64):
            return known
    raise ArgumentError(f"dtype: expected float32 or float64, got {shown(dtype)}")


def as_array(values: Any, name: str) -> Any:
    """A list of numbers or arrays as one array; anything else as it is. ArgumentError if their shapes differ."""
    if not isinstance(values, (list, tuple)):
        return values
    try:
        return np.asarray(values)
    except ValueError:
        raise ArgumentError(f"{name}: expected arrays of one shape, got a list of different ones") from None


def has_method(thing: Any, name: str) -> bool:
    """Whether `thing` is an object, not a class, with a method of that name."""
    return not isinstance(thing, type) and callable(getattr(thing, name, None))


def check_loss(loss: Any, name: str) -> None:
    """Check that `loss` is a Loss, or a list with one for each output."""
    for each in loss if isinstance(loss, (list, tuple)) and loss else [loss]:
        if not has_method(each, "value_and_gradient"):
            raise ArgumentError(f"{name}: expected a loss such as losses.CrossEntropy(), got {shown(each)}")


def check_optimizer(optimizer: Any, name: str) -> None:
    """Check that `optimizer` is an Optimizer."""
    if not has_method(optimizer, "step"):
        raise ArgumentError(f"{name}: optimizer: expected one such as optimizers.SGD(0.01), got {shown(optimizer)}")


def check_floats(name: str, array: Any, what: str) -> None:
    """Check that `array`, the `what` of the layer `name`, is one of float32 or float64; ArgumentError otherwise."""
    dtype = getattr(array, "dtype", type(array).__name__)
    if dtype not in (np.float32, np.float64):
        raise ArgumentError(f"{name}: expected {what} of float32 or float64, got {dtype}")
