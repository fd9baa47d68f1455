"""Any number of processes trains the weights of one process, up to the rounding of sums."""

import functools
from pathlib import Path

import numpy as np
import pytest
import same_weights

PROGRAM = Path(__file__).with_name("same_weights.py")


RANKS = pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.campaign)])


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    @functools.cache
    def folder(ranks):
        folder = tmp_path_factory.mktemp("weights")
        code, _, errors = run(ranks, PROGRAM, folder)
        assert code == 0, errors
        return folder

    def trained(ranks, case):
        with np.load(folder(ranks) / f"{case}.npz") as file:
            weights = dict(file)
        assert weights.pop("ranks") == ranks
        return weights

    return trained


@RANKS
@pytest.mark.parametrize("case", ["uneven", "fewer images than ranks"])
def test_the_weights_of_one_process_after_a_hundred_steps(trained, ranks, case):
    one, several = trained(1, case), trained(ranks, case)
    assert one.keys() == several.keys()
    for name in one:
        np.testing.assert_allclose(several[name], one[name], rtol=2e-5, atol=1e-5, err_msg=name)


@RANKS
@pytest.mark.parametrize("case", [*same_weights.EXACT, "branches"])
def test_every_optimizer_and_loss_after_a_hundred_steps_in_float64(trained, ranks, case):
    one, several = trained(1, case), trained(ranks, case)
    assert one.keys() == several.keys()
    for name in one:
        np.testing.assert_allclose(several[name], one[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_the_digits_in_float64(trained):
    one, two = trained(1, "digits"), trained(2, "digits")
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-11, atol=1e-13, err_msg=name)
