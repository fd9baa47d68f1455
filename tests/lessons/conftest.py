"""The lessons are tested with the plain definitions, not with the fast twins."""

import pytest

import minitorch_cnn as mtc


@pytest.fixture(autouse=True)
def only_definitions():
    with mtc.definitions_only():
        yield
