"""Several processes on the stand-in for GPUs reach the weights of one process on the host, up to rounding."""

import functools
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("on_standin.py")


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    @functools.cache
    def trained(ranks, gpus):
        path = tmp_path_factory.mktemp("gpus") / "w"
        code, _, errors = run(ranks, PROGRAM, gpus, path)
        assert code == 0, errors
        found = []
        for rank in range(ranks):
            with np.load(f"{path}.{rank}.npz") as file:
                found.append(dict(file))
        return found

    return trained


@pytest.mark.parametrize("ranks, gpus, how", [(2, 1, "pinned"), (3, 2, "pinned"), (2, 2, "NCCL")])
def test_the_weights_of_one_process_on_the_host(trained, ranks, gpus, how):
    (expected,) = trained(1, 0)
    for found in trained(ranks, gpus):
        sums = [str(text) for text in found.pop("sums")]
        assert sums and all(text.startswith(how) for text in sums)
        for name, value in found.items():
            np.testing.assert_allclose(value, expected[name], rtol=2e-4, atol=2e-5, err_msg=name)
