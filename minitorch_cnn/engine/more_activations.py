"""Activations of newer networks; `activations.py` has those of the slides.

Most derivatives can again be written in terms of y. Those that cannot, because two x give the same y, are computed from
x: `from_scores` says so.
"""

import math
from typing import Any

from minitorch_cnn.arrays import Array, accelerated, namespace

TERMS, FAR = 120, 6.0  # erf is 1 beyond 6 to more digits than float64 has, and there 120 terms are enough
ROOT_2_OVER_PI, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@accelerated
def erf(x: Array) -> Array:
    """erf(x) = 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / (3 5) + 8 x^7 / (3 5 7) + ...).

    All terms have the sign of x, so nothing cancels.
    """
    x = namespace(x).clip(x, -FAR, FAR)
    term, total = x, x
    for n in range(1, TERMS):
        term = term * (x * x * (2 / (2 * n + 1)))
        total = total + term
    return total * namespace(x).exp(-x * x) * (2 / math.sqrt(math.pi))


@accelerated
def bent_relu(x: Array, slope: float, largest: float, threshold: float) -> Array:
    """y = x from `threshold` to `largest`; `largest` above it, and slope * (x - threshold) below."""
    xp, low = namespace(x), x.dtype.type(threshold)
    below = x.dtype.type(slope) * (x - low) if slope else x.dtype.type(0)
    return xp.where(x < low, below, xp.minimum(x, x.dtype.type(largest)))


@accelerated
def bent_relu_backward(dy: Array, x: Array, slope: float, largest: float, threshold: float) -> Array:
    """dL/dx = dL/dy on the slanted part, 0 above it, and slope * dL/dy below."""
    xp = namespace(x)
    above = (x < x.dtype.type(largest)).astype(x.dtype)
    return dy * xp.where(x > x.dtype.type(threshold), above, x.dtype.type(slope))


class ELU:
    """y = x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015)."""

    name = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, x, self.alpha * xp.expm1(xp.minimum(x, 0)))

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy where y > 0, else dL/dy * (y + alpha)."""
        return dy * namespace(y).where(y > 0, y.dtype.type(1), y + self.alpha)


class SELU:
    """y = s x where x > 0, else s a (exp(x) - 1): keeps mean 0 and variance 1 (Klambauer et al. 2017)."""

    name = "selu"

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        return SELU_SCALE * xp.where(x > 0, x, SELU_ALPHA * xp.expm1(xp.minimum(x, 0)))

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * s where y > 0, else dL/dy * (y + s a)."""
        return dy * namespace(y).where(y > 0, y.dtype.type(SELU_SCALE), y + SELU_SCALE * SELU_ALPHA)


class GELU:
    """y = x P(x), where P(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution (Hendrycks and Gimpel 2016)."""

    name = "gelu"
    from_scores = True

    def forward(self, x: Array) -> Array:
        return gelu(x)

    def backward(self, dy: Array, x: Array) -> Array:
        """dL/dx = dL/dy * (P(x) + x p(x)), where the density p is the derivative of P."""
        return gelu_backward(dy, x)


class GELUTanh:
    """y = x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), within 0.0005 of GELU (same source)."""

    name = "gelu_tanh"
    from_scores = True

    def forward(self, x: Array) -> Array:
        return 0.5 * x * (1 + self._tanh(x))

    def backward(self, dy: Array, x: Array) -> Array:
        """dL/dx = dL/dy * ((1 + t) / 2 + x (1 - t^2) / 2 * du/dx), with t = tanh(u)."""
        t = self._tanh(x)
        slope = ROOT_2_OVER_PI * (1 + 3 * GELU_CUBE * x * x)
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)

    def _tanh(self, x: Array) -> Array:
        return namespace(x).tanh(ROOT_2_OVER_PI * (x + GELU_CUBE * x * x * x))


class SiLU:
    """y = x sigmoid(x), also called swish (Elfwing et al. 2017)."""

    name = "silu"
    from_scores = True

    def forward(self, x: Array) -> Array:
        return silu(x)

    def backward(self, dy: Array, x: Array) -> Array:
        """dL/dx = dL/dy * (s + x s (1 - s)), with s = sigmoid(x)."""
        return silu_backward(dy, x)


class HardSigmoid:
    """y = x / 6 + 1/2, cut off at 0 and 1: a sigmoid of straight lines."""

    name = "hard_sigmoid"

    def forward(self, x: Array) -> Array:
        return namespace(x).clip(x / 6 + 0.5, 0, 1)

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy / 6 between the bends, else 0."""
        return dy * ((y > 0) & (y < 1)) / 6


class HardSiLU:
    """y = x times the hard sigmoid of x (Howard et al. 2019)."""

    name = "hard_silu"
    from_scores = True

    def forward(self, x: Array) -> Array:
        return hard_silu(x)

    def backward(self, dy: Array, x: Array) -> Array:
        """dL/dx = dL/dy * (x / 3 + 1/2) between the bends at -3 and 3, else 0 below and dL/dy above."""
        return hard_silu_backward(dy, x)


class Softplus:
    """y = log(1 + exp(x)), written so that no x overflows."""

    name = "softplus"

    def forward(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * sigmoid(x) = dL/dy * (1 - exp(-y))."""
        return dy * -namespace(y).expm1(-y)


class Softsign:
    """y = x / (1 + |x|)."""

    name = "softsign"

    def forward(self, x: Array) -> Array:
        return x / (1 + namespace(x).abs(x))

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * (1 - |y|)^2."""
        slope = 1 - namespace(y).abs(y)
        return dy * slope * slope


class Exponential:
    """y = exp(x)."""

    name = "exponential"

    def forward(self, x: Array) -> Array:
        return namespace(x).exp(x)

    def backward(self, dy: Array, y: Array) -> Array:
        """dL/dx = dL/dy * y."""
        return dy * y


class BentReLU:
    """y = x from `threshold` to `largest`; `largest` above it, and slope * (x - threshold) below."""

    from_scores = True

    def __init__(self, name: str, slope: float = 0.0, largest: float = math.inf, threshold: float = 0.0) -> None:
        self.name, self.slope, self.largest, self.threshold = name, slope, largest, threshold

    def forward(self, x: Array) -> Array:
        return bent_relu(x, self.slope, self.largest, self.threshold)

    def backward(self, dy: Array, x: Array) -> Array:
        """dL/dx = dL/dy on the slanted part, 0 above it, and slope * dL/dy below."""
        return bent_relu_backward(dy, x, self.slope, self.largest, self.threshold)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return 0.5 * (1 + namespace(x).tanh(0.5 * x))


@accelerated
def silu(x: Array) -> Array:
    """y = x sigmoid(x)."""
    return x * sigmoid(x)


@accelerated
def silu_backward(dy: Array, x: Array) -> Array:
    """dL/dx = dL/dy * (s + x s (1 - s)), with s = sigmoid(x), since ds/dx = s (1 - s)."""
    s = sigmoid(x)
    return dy * (s + x * s * (1 - s))


@accelerated
def hard_silu(x: Array) -> Array:
    """y = x times x / 6 + 1/2, cut off at 0 and 1."""
    return x * namespace(x).clip(x / 6 + 0.5, 0, 1)


@accelerated
def hard_silu_backward(dy: Array, x: Array) -> Array:
    """dL/dx = dL/dy * (x / 3 + 1/2) between the bends at -3 and 3, else 0 below and dL/dy above."""
    xp = namespace(x)
    return dy * xp.where(x <= -3, x.dtype.type(0), xp.where(x >= 3, x.dtype.type(1), x / 3 + 0.5))


@accelerated
def gelu(x: Array) -> Array:
    """y = x P(x), with P(x) = (1 + erf(x / sqrt 2)) / 2."""
    return x * (0.5 + 0.5 * erf(x * math.sqrt(0.5)))


@accelerated
def gelu_backward(dy: Array, x: Array) -> Array:
    """dL/dx = dL/dy * (P(x) + x p(x)), with the density p(x) = exp(-x^2 / 2) / sqrt(2 pi)."""
    density = namespace(x).exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return dy * (0.5 + 0.5 * erf(x * math.sqrt(0.5)) + x * density)


KINDS = (ELU, SELU, GELU, GELUTanh, SiLU, HardSigmoid, HardSiLU, Softplus, Softsign, Exponential)
MORE_ACTIVATIONS: dict[str, Any] = {kind.name: kind for kind in KINDS}
MORE_ACTIVATIONS |= {"swish": SiLU, "hard_swish": HardSiLU}
MORE_ACTIVATIONS["relu6"] = lambda: BentReLU("relu6", largest=6.0)
MORE_ACTIVATIONS["leaky_relu"] = lambda: BentReLU("leaky_relu", slope=0.2)
