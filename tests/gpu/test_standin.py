"""The stand-in for CuPy itself: it raises where CuPy would, and offers nothing that CuPy lacks."""

import inspect

import numpy as np
import pytest
import standin_cupy
from standin_arrays import Array, device

ACCIDENTS = {
    "host and device": lambda xp, x: x + np.ones(3, "float32"),
    "device and host": lambda xp, x: np.ones(3, "float32") * x,
    "written from the host": lambda xp, x: x.__setitem__(slice(2), np.ones(2, "float32")),
    "an index of the host": lambda xp, x: x[np.array([0, 1])],
    "a list written": lambda xp, x: x.__setitem__(slice(2), [1.0, 2.0]),
    "converted unasked": lambda xp, x: np.asarray(x),
    "a function of NumPy": lambda xp, x: np.maximum(x, 0),
    "NumPy's shape of it": lambda xp, x: np.shape(x),
    "stacked with the host": lambda xp, x: xp.stack([x, np.ones(3, "float32")]),
    "zeros without a type": lambda xp, x: xp.zeros(3),
    "numbers without a type": lambda xp, x: xp.asarray([0.5]),
    "a float64 scalar": lambda xp, x: x / np.sqrt(27),
    "whole numbers divided": lambda xp, x: xp.arange(3) / 2,
    "float64 written into float32": lambda xp, x: x.__setitem__(slice(None), x.astype("float64")),
    "a name that CuPy lacks": lambda xp, x: xp.errstate(),
    "an argument that CuPy lacks": lambda xp, x: x.max(initial=0),
    "where in a function": lambda xp, x: xp.sqrt(x, where=x > 0),
    "a float as an index": lambda xp, x: x[x],
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_raises(standin, name):
    x = standin.asarray(np.arange(3.0), dtype="float32")
    with pytest.raises((TypeError, AttributeError, ValueError, IndexError)):
        ACCIDENTS[name](standin, x)


WHILE_CAPTURING = {
    "a number read": lambda xp, x: float(x.sum()),
    "a decision": lambda xp, x: 1 if x.sum() > 0 else 2,
    "an array read": lambda xp, x: x.get(),
    "a number sent": lambda xp, x: xp.asarray([1.0], dtype="float32"),
    "an array sent": lambda xp, x: x.set(np.zeros(3, "float32")),
    "CuPy's matrix product": lambda xp, x: x[None] @ x[:, None],
    "a length that depends on numbers": lambda xp, x: x[x > 0],
}


@pytest.mark.parametrize("name", WHILE_CAPTURING)
def test_a_capture_cannot_hold(standin, name):
    x = standin.asarray(np.arange(3.0), dtype="float32")
    stream = standin.cuda.Stream(non_blocking=True)
    stream.begin_capture()
    with pytest.raises((RuntimeError, NotImplementedError)):
        WHILE_CAPTURING[name](standin, x)
    stream.end_capture()


def test_a_graph_computes_when_it_is_launched_and_anew_each_time(standin):
    x = standin.asarray(np.arange(3.0), dtype="float32")
    total = standin.zeros((), dtype="float32")
    stream = standin.cuda.Stream(non_blocking=True)
    stream.begin_capture()
    doubled = x * 2
    total += doubled.sum()
    x[1:] = 5.0
    graph = stream.end_capture()
    assert np.isnan(doubled.get()).all() and float(total) == 0 and x.get().tolist() == [0, 1, 2]
    graph.launch()
    assert doubled.get().tolist() == [0, 2, 4] and float(total) == 6 and x.get().tolist() == [0, 5, 5]
    graph.launch()
    assert doubled.get().tolist() == [0, 10, 10] and float(total) == 26


def test_what_is_single_stays_an_array_and_a_view(standin):
    x = standin.asarray(np.arange(6.0).reshape(2, 3), dtype="float32")
    one = x[1, 2]
    assert isinstance(one, Array) and one.shape == ()
    x[1, 2] = 9.0
    assert float(one) == 9.0 and isinstance(x.sum(), Array)


def test_memory_has_an_end(standin):
    device.limit = 100
    with pytest.raises(MemoryError):
        standin.empty(26, dtype="float32")


def test_every_name_and_argument_is_cupy_s():
    """Where CuPy is installed; it can be imported without a GPU."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: the stand-in's names are not compared with it")
    names = [name for name in vars(standin_cupy.cupy) if not name.startswith("__")]
    assert {name for name in names if not hasattr(cupy, name)} == set()
    for name in names:
        ours, theirs = getattr(standin_cupy.cupy, name), getattr(cupy, name)
        if not inspect.isfunction(ours):
            continue
        if isinstance(theirs, cupy.ufunc):
            continue  # out= is an argument of all of them
        known = inspect.signature(theirs).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            continue
        for parameter in inspect.signature(ours).parameters.values():
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                assert parameter.name in known, f"{name}({parameter.name}=)"
    for name in vars(Array):
        if name not in ("memory", "_number", "_index", "__weakref__", "__dict__"):
            assert hasattr(cupy.ndarray, name), name
    for name in vars(standin_cupy.cupy.cuda):
        assert hasattr(cupy.cuda, name), name
