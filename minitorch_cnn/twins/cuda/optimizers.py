"""The twins of the updates in `optimizers` on a GPU: one launch for all parameters.

A rate may be an array of one number on the GPU, from which a captured step reads the current rate. If it is NaN,
nothing changes: so a step whose loss is not finite can spare the weights, though the host does not know the loss yet.
"""

from typing import Any

from minitorch_cnn.arrays import Array, namespace
from minitorch_cnn.twins.arguments import check_number, check_settings, check_update
from minitorch_cnn.twins.cuda.kernels import launch


def sgd_update(w: Array, g: Array, m: Array | None, rate: Any, momentum: float, nesterov: bool, decay: float) -> None:
    """See `optimizers.sgd_update`."""
    check_update(w, g, () if m is None else (m,), momentum, nesterov, decay)
    velocity, rate = w if m is None else m, _number(w, rate)
    launch("sgd_update", w.size, w, g, velocity, rate, momentum, decay, m is not None, bool(nesterov))


def rmsprop_update(w: Array, g: Array, v: Array, rate: Any, rho: float, epsilon: float, decay: float) -> None:
    """See `optimizers.rmsprop_update`."""
    check_update(w, g, (v,), rho, epsilon, decay)
    launch("rmsprop_update", w.size, w, g, v, _number(w, rate), rho, 1 - rho, epsilon, decay)


def adam_update(
    w: Array, g: Array, m: Array, v: Array, rate: Any, beta_1: float, beta_2: float, epsilon: float, decay: float,
    corrected_rate: Any,
) -> None:  # fmt: skip
    """See `optimizers.adam_update`."""
    check_update(w, g, (m, v), beta_1, beta_2, epsilon, decay)
    rates = _number(w, rate), _number(w, corrected_rate)
    launch("adam_update", w.size, w, g, m, v, *rates, 1 - beta_1, 1 - beta_2, epsilon, decay)


def _number(w, value):
    if type(value) is type(w):
        return check_number(value, w.dtype)
    check_settings(value)
    return namespace(w).asarray([value], dtype=w.dtype)
