"""One Numba worker, and the plain definitions: what is tested here are the lessons, not the fast twins."""

import pytest

import minitorch_cnn as mtc


@pytest.fixture(autouse=True)
def only_definitions():
    with mtc.definitions_only():
        yield
