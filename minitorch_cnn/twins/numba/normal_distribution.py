"""The normal distribution in plain arithmetic: one exp gives its density and, for float32, how much lies below x.

    P(-z) = p(z) sqrt(2 pi) / 2 q(t),    t = 1 / (1 + 0.3275911 z / sqrt 2),    z >= 0

with a polynomial q of degree 5 (Abramowitz and Stegun 1964, 7.1.26, within 1.5e-7 of erf), and P(z) = 1 - P(-z). For
float64 it is the C library's erfc.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import overload

from minitorch_cnn.twins.numba.compiled import njit
from minitorch_cnn.twins.numba.exponential import exp

_f = np.float32
_SLOPE = _f(0.3275911 * math.sqrt(0.5))
_A, _B, _C, _D, _E = (_f(a / 2) for a in (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429))
_PER_ROOT, _PER_ROOT_32 = 1 / math.sqrt(2 * math.pi), _f(1 / math.sqrt(2 * math.pi))


def below(x: Any) -> Any:
    """(P(x), p(x)) for compiled code: the share of the normal distribution below x, and its density there."""
    raise TypeError("only for compiled code")


@overload(below)
def _below(x):
    if x == types.float32:
        return lambda x: _of_float32(x)
    if x == types.float64:
        return lambda x: _of_float64(x)
    raise TypingError(f"below: expected a float, got {x}")


@njit(nogil=True, error_model="numpy")  # a division that checked for zero would keep the loop from vector code
def _of_float32(x):
    one, half = _f(1), _f(0.5)
    bell = exp(-half * x * x)
    t = one / (one + _SLOPE * abs(x))
    tail = ((((_E * t + _D) * t + _C) * t + _B) * t + _A) * t * bell
    share = one - tail if x > 0 else tail
    return share, bell * _PER_ROOT_32


@njit(nogil=True)
def _of_float64(x):
    return 0.5 * math.erfc(-x * math.sqrt(0.5)), math.exp(-0.5 * x * x) * _PER_ROOT
