"""Where the tests of this folder run: on the stand-in for CuPy everywhere, and on a GPU too where there is one.

The fixture `xp` is both, one after the other; a test on the real GPU is marked `gpu`. `standin` is the stand-in alone,
for what only it can show: how often the host waited, what was launched, memory that ends where one wants it to.
"""

import sys
from pathlib import Path

import numba
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "engine")]

import standin_cupy  # noqa: E402
from host_blas import HostBlas  # noqa: E402
from standin_arrays import device as standin_device  # noqa: E402

from minitorch_cnn.arrays import libraries  # noqa: E402
from minitorch_cnn.errors import BackendError  # noqa: E402
from minitorch_cnn.twins.cuda import cublas  # noqa: E402

left_out = []  # (how many tests marked gpu, why)


def _no_gpu():
    """Why there is no GPU to test on; None where there is one."""
    try:
        libraries.library("cupy")
    except BackendError as error:
        return str(error)
    return None


def pytest_collection_modifyitems(config, items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    reason = _no_gpu() if marked else None
    if reason is not None:
        left_out.append((len(marked), reason))
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in set(marked)]


def pytest_terminal_summary(terminalreporter):
    for count, reason in left_out:
        terminalreporter.write_line(f"NOT RUN: {count} tests marked gpu, since there is no GPU ({reason})")


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
    monkeypatch.setitem(sys.modules, "cupy", standin_cupy.cupy)
    blas = HostBlas()
    monkeypatch.setattr(cublas, "library", lambda xp: blas)
    standin_device.__init__()
    yield standin_cupy.cupy
    standin_device.__init__()


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=pytest.mark.gpu)])
def xp(request):
    """The library called "cupy": the stand-in, and CuPy itself, in full precision so that results can be compared."""
    if request.param == "stand-in":
        yield request.getfixturevalue("standin")
        return
    before = cublas.tf32()
    cublas.tf32(False)
    yield libraries.library("cupy")
    cublas.tf32(before)
