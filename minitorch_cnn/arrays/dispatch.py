"""One definition, faster twins: the plain array expression is what an operation means, a twin is how to do it faster.

    @accelerated
    def forward(x, kernel, ...):          # the definition, in engine/convolution/im2col.py

    def forward(x, kernel, ...):          # its twin, in twins/numba/convolution/im2col.py: same path, same name

The twin's module is imported when the first array of its backend arrives, so nobody pays for Numba or CuPy unasked.
`forward.definition` is the definition itself; the tests hold every twin to it.
"""

import contextlib
import functools
import importlib

TWINS = {"numpy": "numba", "cupy": "cuda"}
_state = {"twins": True}


def accelerated(definition):
    """Decorate a definition whose first argument is an array."""
    found = {}

    @functools.wraps(definition)
    def dispatch(array, *args, **kwargs):
        if not _state["twins"]:
            return definition(array, *args, **kwargs)
        backend = type(array).__module__.partition(".")[0]
        if backend not in found:
            found[backend] = _twin(definition, backend)
        return found[backend](array, *args, **kwargs)

    dispatch.definition = definition
    return dispatch


def _twin(definition, backend):
    package, _, path = definition.__module__.partition(".")
    name = f"{package}.twins.{TWINS[backend]}.{path.removeprefix('engine.')}"
    try:
        return getattr(importlib.import_module(name), definition.__name__, definition)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return definition


@contextlib.contextmanager
def definitions_only():
    """Inside this context every operation runs its plain definition: for reading along, and for comparing twins."""
    before, _state["twins"] = _state["twins"], False
    try:
        yield
    finally:
        _state["twins"] = before
