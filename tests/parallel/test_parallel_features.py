"""Several processes divide the computation of a frozen base's features, and each of them gets all features."""

import functools
from pathlib import Path

import numpy as np
import pytest
import shared_features

PROGRAM = Path(__file__).with_name("shared_features.py")


@pytest.fixture(scope="module")
def computed(run, tmp_path_factory):
    @functools.cache
    def computed(ranks):
        folder = tmp_path_factory.mktemp("features")
        code, _, errors = run(ranks, PROGRAM, folder)
        assert code == 0, errors
        found = []
        for rank in range(ranks):
            with np.load(folder / f"{rank}.npz") as file:
                found.append(dict(file))
        return found

    return computed


@pytest.mark.parametrize("ranks", [2, 3])
def test_every_rank_has_the_features_of_one_process_to_the_bit(computed, ranks):
    (one,), several = computed(1), computed(ranks)
    for count in shared_features.COUNTS:
        assert one[str(count)].any()
        loaded = [index for found in several for index in found[f"loaded {count}"]]
        assert sorted(loaded) == list(range(count))  # each image is decoded on one rank only
        for found in several:
            assert np.array_equal(found[str(count)], one[str(count)])
    for found in several:
        assert np.array_equal(found["on disk"], one["23"])
    shares = [len(found["loaded 23"]) for found in several]
    assert max(shares) - min(shares) <= 4
