"""The twins of the updates in `optimizers` on a GPU: one launch for all parameters.

A rate may be an array of one number on the device: a captured step reads the present rate there.
"""

from minitorch_cnn.arrays import namespace
from minitorch_cnn.twins.cuda.kernels import launch


def sgd_update(w, g, m, rate, momentum, nesterov, decay):
    """See `optimizers.sgd_update`."""
    velocity = w if m is None else m
    launch("sgd_update", w.size, w, g, velocity, _number(w, rate), momentum, decay, m is not None, nesterov)


def rmsprop_update(w, g, v, rate, rho, epsilon, decay):
    """See `optimizers.rmsprop_update`."""
    launch("rmsprop_update", w.size, w, g, v, _number(w, rate), rho, 1 - rho, epsilon, decay)


def adam_update(w, g, m, v, rate, beta_1, beta_2, epsilon, decay, corrected_rate):
    """See `optimizers.adam_update`."""
    rates = _number(w, rate), _number(w, corrected_rate)
    launch("adam_update", w.size, w, g, m, v, *rates, 1 - beta_1, 1 - beta_2, epsilon, decay)


def _number(w, value):
    return value if hasattr(value, "get") else namespace(w).asarray([value], dtype=w.dtype)
