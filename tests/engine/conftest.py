"""One Numba worker for the engine's tests: thousands of calls on tiny arrays, where waking a second one costs the most.

That two workers give the same bits as one is tested by itself, in `test_engine_threads.py`.
"""

import numba
import pytest


@pytest.fixture(autouse=True)
def one_worker():
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
