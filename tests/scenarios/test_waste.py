"""Memory that is not needed, and messages that nobody needs."""

import tracemalloc
import warnings

import numpy as np
import pytest
from minitorch_cnn.preprocessing import Standardize
from scenario_models import LABELS, X, small_net

from minitorch_cnn import optimizers
from minitorch_cnn.errors import TrainingError


@pytest.mark.parametrize("shape", [(3001, 16, 16, 3), (1, 5, 4, 1), (70, 31, 33, 2)])
def test_a_standardization_takes_no_second_copy_of_the_images(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images[..., -1] //= 7
    tracemalloc.start()
    found = Standardize.of(images)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # the copy would take 18 MB for the largest
    flat = images.reshape(-1, shape[-1]).astype(np.float64)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.std, flat.std(axis=0), rtol=1e-12)
    assert Standardize.of(np.full((2, 3, 3, 1), 9, np.uint8)).std == [1.0]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("large", ["weights", "validation", "rate"])
def test_a_training_that_diverges_says_it_in_one_line_without_warnings_of_numpy(large, cache):
    model, validation = small_net().freeze(through="conv2d_1"), None
    if large == "weights":
        model.get_layer("dense_1").parameters["kernel"][...] *= 3e38
    if large == "validation":
        validation = (np.full_like(X, 3e38), LABELS)
    rate = 1e30 if large == "rate" else 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TrainingError) as caught:
            model.fit(X, LABELS, optimizer=optimizers.SGD(rate), epochs=9, batch_size=8, validation=validation,
                      cache_features=cache, progress=False)  # fmt: skip
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.history, dict)
