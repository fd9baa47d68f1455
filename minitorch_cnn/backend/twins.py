"""One definition, faster twins: the plain array expression is what an operation means, a twin is how to do it faster.

A definition names the module in which its twin for a backend lives; the twin has the definition's own name there:

    @accelerated(numpy="minitorch_cnn.convolution.im2col_numba")
    def forward(x, kernel, ...):          # the definition, in plain array expressions

    # in im2col_numba.py
    def forward(x, kernel, ...):          # the same function, compiled

The twin's module is imported when the first array of its backend arrives, so nobody pays for Numba or CuPy unasked.
`forward.definition` is the definition itself; the tests hold every twin to it.
"""

import contextlib
import functools
import importlib

_state = {"twins": True}


def accelerated(**modules):
    """Decorate a definition whose first argument is an array; `modules` maps "numpy" or "cupy" to a module."""

    def decorate(definition):
        found = {}

        @functools.wraps(definition)
        def dispatch(array, *args, **kwargs):
            if not _state["twins"]:
                return definition(array, *args, **kwargs)
            backend = type(array).__module__.partition(".")[0]
            if backend not in found:
                found[backend] = _twin(definition, modules.get(backend))
            return found[backend](array, *args, **kwargs)

        dispatch.definition = definition
        return dispatch

    return decorate


def _twin(definition, module):
    if module is None:
        return definition
    return getattr(importlib.import_module(module), definition.__name__)


@contextlib.contextmanager
def definitions_only():
    """Inside this context every operation runs its plain definition: for reading along, and for comparing twins."""
    before, _state["twins"] = _state["twins"], False
    try:
        yield
    finally:
        _state["twins"] = before
