"""The compiled GELU against SciPy's normal distribution, also where almost nothing is left of it, and at any size."""

import numpy as np
import pytest
import scipy.stats

from minitorch_cnn.engine.more_activations import gelu, gelu_backward


@pytest.mark.parametrize("dtype, tolerance", [("float32", 6e-7), ("float64", 1e-15)])
def test_gelu_and_its_slope(dtype, tolerance):
    x = np.concatenate([np.linspace(-9, 9, 4001), [-1e30, -40, -0.0, 0, 40, 1e30]]).astype(dtype)
    wide, normal = x.astype("float64"), scipy.stats.norm
    y, slope = gelu.find("numba")(x), gelu_backward.find("numba")(np.full_like(x, 2), x)
    np.testing.assert_allclose(y, wide * normal.cdf(wide), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        slope, 2 * (normal.cdf(wide) + wide * normal.pdf(wide)), rtol=2 * tolerance, atol=2 * tolerance
    )
    assert y.dtype == slope.dtype == dtype
    np.testing.assert_allclose(
        y[x > -5], (wide * normal.cdf(wide))[x > -5], rtol=2e-3
    )  # in the tail too, not only beside 1
