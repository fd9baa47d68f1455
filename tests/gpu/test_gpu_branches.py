"""Twins of what newer networks need, on the device: batch norm, depthwise convolutions, sums and activations."""

import math

import numpy as np
import pytest
from engine_helpers import normal, relative_error
from gpu_helpers import on_standin
from standin_arrays import device
from test_engine_depthwise import GEOMETRIES

from minitorch_cnn.arrays import moved, on_host
from minitorch_cnn.engine import more_activations
from minitorch_cnn.engine.convolution import depthwise
from minitorch_cnn.engine.convolution.geometry import output_size, window_reach
from minitorch_cnn.engine.layers import average_pool2d, batch_norm, merge
from minitorch_cnn.twins.cuda.layers import batch_norm as batch_norm_cuda
from minitorch_cnn.twins.cuda.layers import merge as merge_cuda

TOLERANCE = {"float32": 3e-6, "float64": 1e-13}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE)
SHAPES = [(1, 1, 1, 5), (3, 7, 5, 12), (2, 9, 11, 7), (700, 8)]


def hold(xp, twin, definition, *arguments, kernel=None, **options):
    """`twin` on the device agrees with `definition` on the host; arrays of up to four-channel kernels."""
    device.launches.clear()
    results = twin(*(moved(each, xp) if isinstance(each, np.ndarray) else each for each in arguments), **options)
    wanted = definition(*arguments)
    if not isinstance(results, tuple):
        results, wanted = (results,), (wanted,)
    for got, right in zip(results, wanted, strict=True):
        assert got.dtype == right.dtype and got.shape == right.shape
        assert relative_error(on_host(got), right) < TOLERANCE[str(got.dtype)]
    assert kernel is None or not on_standin(xp) or kernel in {name.removesuffix("4") for name in device.launches}


@DTYPES
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm(xp, shape, dtype):
    """With a mean far from zero, whose square must not swallow the variance."""
    x, dy = 30 + normal(shape, 0, dtype), normal(shape, 1, dtype)
    scale, shift, mean_dy, mean_dy_n = (normal(shape[-1:], seed, dtype) for seed in range(2, 6))
    mean, inverse = x.reshape(-1, shape[-1]).mean(axis=0), np.abs(normal(shape[-1:], 6, dtype))
    hold(xp, batch_norm.moments, batch_norm.moments.definition, x, kernel="add_squares")
    vectors = mean, scale, shift
    hold(xp, batch_norm.normalise, batch_norm.normalise.definition, x, *vectors, kernel="normalise")
    hold(
        xp, batch_norm.sums_backward, batch_norm.sums_backward.definition, dy, x, mean, inverse, kernel="sums_backward"
    )
    arguments = dy, x, mean, inverse, scale, mean_dy, mean_dy_n
    back = batch_norm.normalise_backward
    hold(xp, back, back.definition, *arguments, kernel="normalise_backward")

    def with_sums(*arguments):
        dx = back.definition(*arguments)
        return dx, dx.reshape(-1, shape[-1]).sum(axis=0)

    hold(xp, batch_norm_cuda.normalise_backward, with_sums, *arguments, sums=True)
    for ceiling in (math.inf, 0.5):

        def masked(dy, x, ceiling=ceiling):
            y = batch_norm.normalise.definition(x, *vectors)
            return dy * ((y > 0) & (y < ceiling))

        def limited(*arguments, ceiling=ceiling):
            return np.clip(batch_norm.normalise.definition(*arguments), 0, ceiling)

        options = {"relu": True, "ceiling": ceiling}
        hold(xp, batch_norm_cuda.normalise, limited, x, *vectors, **options)
        hold(
            xp, batch_norm_cuda.relu_sums_backward,
            lambda dy, x, mean, inverse, *_: batch_norm.sums_backward.definition(masked(dy, x), x, mean, inverse),
            dy, x, mean, inverse, scale, shift, ceiling=ceiling,
        )  # fmt: skip
        hold(
            xp, batch_norm_cuda.relu_normalise_backward, lambda dy, x, *rest: with_sums(masked(dy, x), x, *rest[:-1]),
            *arguments, shift, ceiling=ceiling,
        )  # fmt: skip


@DTYPES
@pytest.mark.parametrize("case", GEOMETRIES)
def test_depthwise(xp, case, dtype):
    shape, window, M, strides, padding, dilation = GEOMETRIES[case]
    C = shape[3]
    x, kernel, bias = normal(shape, 0, dtype), normal((*window, C, M), 1, dtype), normal((C * M,), 2, dtype)
    out = output_size(shape[1:3], window_reach(window, dilation), strides, padding)
    dy, geometry = normal((shape[0], *out, C * M), 3, dtype), (strides, padding, dilation)
    for some in (bias, None):
        forward = depthwise.forward
        hold(xp, forward, forward.definition, x, kernel, *geometry, some, kernel="depthwise")
    back = depthwise.backward_input
    hold(xp, back, back.definition, dy, kernel, shape, *geometry, kernel="depthwise_input")
    back = depthwise.backward_kernel
    hold(xp, back, back.definition, x, dy, kernel.shape, *geometry, kernel="depthwise_kernel")


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (3, 7, 5, 12), (1, 41, 40, 4), (2, 30, 9, 7)])
def test_means_of_images(xp, shape, dtype):
    """Of one pixel, of few, and of so many that they are added up in stages."""
    N, H, W, C = shape
    x, dy = normal(shape, 0, dtype), normal((N, C), 1, dtype)
    forward, back = average_pool2d.image_mean, average_pool2d.image_mean_backward
    hold(xp, forward, forward.definition, x, kernel="mean_rows")
    stages = [name for name in device.launches if name.startswith("mean_rows")]
    assert not on_standin(xp) or (len(stages) > 1) == (H * W > 8)
    hold(xp, back, back.definition, dy, (H, W), kernel="share")


@DTYPES
def test_sums(xp, dtype):
    x1, x2 = normal((3, 5, 7), 0, dtype), normal((3, 5, 7), 1, dtype)
    x1[0, 0, 0] = np.nan
    for relu in (False, True):
        got = on_host(merge_cuda.add(moved(x1, xp), moved(x2, xp), relu=relu))
        np.testing.assert_array_equal(got, np.maximum(x1 + x2, 0) if relu else x1 + x2)
    factor = normal((1, 1, 7), 2, dtype)  # which the definition repeats
    np.testing.assert_array_equal(on_host(merge.add(moved(x1, xp), moved(factor, xp))), x1 + factor)


@DTYPES
def test_activations(xp, dtype):
    x, dy = np.linspace(-9, 9, 181, dtype=dtype), normal((181,), 1, dtype)
    for name, kernel in (("silu", "silu"), ("gelu", "gelu"), ("erf", "error_function")):
        function = getattr(more_activations, name)
        hold(xp, function, function.definition, x, kernel=kernel)
    for name in ("silu_backward", "gelu_backward"):
        back = getattr(more_activations, name)
        hold(xp, back, back.definition, dy, x, kernel=name)
    for bends in ((0.0, 6.0, 0.0), (0.2, math.inf, 0.0), (0.1, 2.5, -1.0)):
        for function, arguments in ((more_activations.bent_relu, (x,)), (more_activations.bent_relu_backward, (dy, x))):
            hold(xp, function, function.definition, *arguments, *bends, kernel=function.__name__)
    for big in (100.0, 1e4):  # where an exponential would overflow
        for function in (more_activations.silu, more_activations.gelu):
            y = on_host(function(moved(np.array([-big, big], dtype), xp)))
            np.testing.assert_array_equal(y, [0, big])
