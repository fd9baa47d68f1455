"""exp in plain arithmetic, which the compiler turns into vector instructions; the C library's takes one number a call.

    exp(x) = 2^n exp(r),  where n = x / log 2, rounded, and |r| = |x - n log 2| <= log(2) / 2

exp(r) is a polynomial (Moshier, Cephes 2.2: `expf`), and 2^n is a float32 whose exponent bits are n + 127.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload

from minitorch_cnn.twins.numba.compiled import njit

LOWEST, HIGHEST = -87.0, 88.0  # beyond these, exp(x) is no longer a normal float32
POLYNOMIAL = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
LOG2_HIGH, LOG2_LOW = 0.693359375, -2.12194440e-4  # n times the first has no rounding error


@intrinsic
def _from_bits(typingctx, bits):
    """The float32 with these 32 bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


def exp(x: Any) -> Any:
    """exp(x) for compiled code: of a float32 within 2 units in the last place, of other numbers the C library's."""
    raise TypeError("only for compiled code")


@overload(exp)
def _exp(x):
    if x == types.float32:
        return lambda x: _of_float32(x)
    if x == types.float64:
        return lambda x: math.exp(x)
    raise TypingError(f"exp: expected a float, got {x}")


_f = np.float32
_LOWEST, _HIGHEST, _HIGH, _LOW, _PER_LOG2 = (_f(n) for n in (LOWEST, HIGHEST, LOG2_HIGH, LOG2_LOW, 1 / math.log(2)))
_A, _B, _C, _D, _E, _F = (_f(n) for n in POLYNOMIAL)


@njit(nogil=True)
def _of_float32(x):
    x = _HIGHEST if x > _HIGHEST else x
    x = _LOWEST if x < _LOWEST else x
    n = np.floor(x * _PER_LOG2 + _f(0.5))
    r = x - n * _HIGH - n * _LOW
    p = ((((_A * r + _B) * r + _C) * r + _D) * r + _E) * r + _F
    return (p * (r * r) + r + _f(1)) * _from_bits(types.int32((types.int32(n) + types.int32(127)) << types.int32(23)))
