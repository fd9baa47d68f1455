"""A class of one's own that lacks a method: the error names the class and the method to define."""

import numpy as np
import pytest

from minitorch_cnn import losses, optimizers, schedules
from minitorch_cnn.engine.layers.activated import Activated

X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("base", "call", "missing"),
    [
        (schedules.Schedule, lambda made: made(1), "__call__"),
        (losses.Loss, lambda made: made.check(X, X), "check"),
        (optimizers.Optimizer, lambda made: made.update(X, X, {}, 0.1), "update"),
        (Activated, lambda made: made.scores(X), "scores"),
        (Activated, lambda made: made.backward_scores(X, ()), "backward_scores"),
    ],
)
def test_the_missing_method_is_named(base, call, missing):
    made = object.__new__(type("Unfinished", (base,), {}))
    with pytest.raises(NotImplementedError, match=f"^Unfinished: define .*{missing}"):
        call(made)
