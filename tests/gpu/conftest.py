"""A GPU for the tests: the stand-in everywhere, and beside it CuPy itself where there is a GPU (marked `gpu`)."""

import sys
from pathlib import Path

import numba
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "engine")]

import standin_cupy
from host_blas import HostBlas
from standin_arrays import device as standin_device

from minitorch_cnn.backend import cublas, libraries


def real_cupy():
    """CuPy, where it can compute; None elsewhere."""
    try:
        return libraries.library("cupy")
    except Exception:
        return None


@pytest.fixture(autouse=True)
def one_worker():
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture
def standin(monkeypatch):
    """The stand-in as the library called "cupy"; its device begins with no graph, no limit and no waits."""
    monkeypatch.setattr(libraries, "_cupy", lambda: standin_cupy.cupy)
    blas = HostBlas()
    monkeypatch.setattr(cublas, "library", lambda xp: blas)
    standin_device.__init__()
    yield standin_cupy.cupy
    standin_device.__init__()
