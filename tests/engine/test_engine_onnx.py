"""The layers on ONNX's own operator tests: each case is run, or `onnx_cases.py` says why it cannot be."""

import runpy

import numpy as np
import onnx_cases
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx to run its operator tests")

CASES = onnx_cases.collect()
RUN = [name for name in CASES if name not in onnx_cases.OUT_OF_SCOPE]
LEFT_OUT = [name for name in onnx_cases.OUT_OF_SCOPE if name in CASES]


@pytest.mark.parametrize("name", RUN)
def test_case(name):
    operator, attributes, inputs, outputs = CASES[name]
    got = onnx_cases.run(operator, attributes, inputs)
    assert len(got) >= len(outputs)
    for mine, wanted in zip(got, outputs):
        assert mine.shape == wanted.shape and mine.dtype.kind == wanted.dtype.kind
        np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=1e-7)  # what ONNX itself asks for


def test_every_case_is_run_or_has_a_reason():
    assert set(RUN) | set(LEFT_OUT) == set(CASES) and not set(RUN) & set(LEFT_OUT)
    if onnx.__version__.startswith(onnx_cases.WRITTEN_FOR):
        assert list(onnx_cases.OUT_OF_SCOPE) == LEFT_OUT
    assert all(len(reason) > 10 for reason in onnx_cases.OUT_OF_SCOPE.values())
    assert {CASES[name][0] for name in RUN} == set(onnx_cases.OPERATORS)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_out_of_scope_really_is(name):
    """A case that could run must not hide in the table."""
    operator, attributes, inputs, outputs = CASES[name]
    with pytest.raises((NotImplementedError, ValueError)):
        got = onnx_cases.run(operator, attributes, inputs)
        if [mine.shape for mine in got] != [wanted.shape for wanted in outputs]:
            raise ValueError("another shape")


def test_the_table_prints(capsys):
    runpy.run_path(onnx_cases.__file__, run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(CASES) + 1
    assert printed[-1] == f"{len(CASES)} cases: {len(RUN)} run, {len(LEFT_OUT)} out of scope"
