"""The convolution on tensor cores: its kernels on the host, against float64 with inputs rounded to TF32."""

import numpy as np
import pytest
from engine_helpers import normal, relative_error
from gpu_helpers import on_standin
from standin_arrays import device

from minitorch_cnn.arrays import moved, on_host
from minitorch_cnn.engine.activations import relu_backward
from minitorch_cnn.engine.convolution import im2col, row_windows
from minitorch_cnn.twins.cuda import cublas
from minitorch_cnn.twins.cuda.convolution import row_windows as row_windows_cuda
from minitorch_cnn.twins.cuda.convolution import tensor_cores

CASES = [  # x, K, padding
    ((2, 9, 8, 32), 32, ((1, 1), (1, 1))),  # more than one tile of pixels, the last one partly filled
    ((1, 7, 11, 32), 64, ((0, 0), (0, 0))),
    ((1, 3, 40, 64), 32, ((2, 0), (1, 2))),  # rows longer than a slice, sides of their own
    ((3, 3, 3, 32), 32, ((0, 0), (0, 0))),  # one pixel for each image
]


def rounded(array):
    """As tensor cores round: 10 bits behind the binary point, a tie away from zero; in float64."""
    return ((array.view("uint32") + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view("float32").astype("float64")


@pytest.fixture
def tf32(xp):
    before, device.capability = cublas.tf32(), "90"
    if int(xp.cuda.Device().compute_capability) < tensor_cores.CAPABILITY:
        pytest.skip("this GPU has no TF32")
    cublas.tf32(True)
    yield xp
    cublas.tf32(before)


@pytest.mark.parametrize("shape, K, padding", CASES)
def test_all_passes(tf32, shape, K, padding):
    xp, strides = tf32, (1, 1)
    x, kernel, bias = normal(shape, 0, "float32"), normal((3, 3, shape[3], K), 1, "float32"), normal((K,), 2, "float32")
    wanted = im2col.forward.definition(rounded(x), rounded(kernel), strides, padding, bias.astype("float64"))
    dy = normal(wanted.shape, 3, "float32")
    gx, gkernel, gbias, gdy = (moved(array, xp) for array in (x, kernel, bias, dy))
    assert tensor_cores.serves(gx, kernel.shape, strides)
    for relu in (False, True):
        y = row_windows_cuda.forward(gx, gkernel, strides, padding, gbias, relu=relu)
        assert relative_error(on_host(y), np.maximum(wanted, 0) if relu else wanted) < 1e-6
    dkernel = im2col.backward_kernel.definition(rounded(x), rounded(dy), kernel.shape, strides, padding)
    got = row_windows.backward_kernel(gx, gdy, kernel.shape, strides, padding)
    assert relative_error(on_host(got), dkernel) < 1e-6
    if shape[3] == K == 32:  # one case is enough: it is the first kernel again
        dx = im2col.backward_input.definition(rounded(dy), rounded(kernel), shape, strides, padding)
        got = row_windows.backward_input(gdy, gkernel, shape, strides, padding)
        assert relative_error(on_host(got), dx) < 1e-6
    if on_standin(xp):
        assert {"lay_out", "im2col", "gemm"}.isdisjoint(name.rstrip("4") for name in device.launches)


def test_all_gradients_at_once(tf32):
    shape, padding = (1, 5, 6, 32), ((1, 1), (1, 1))
    x, kernel, dy, y = (
        normal(size, seed, "float32") for seed, size in enumerate((shape, (3, 3, 32, 32), shape, shape))
    )
    masked = np.where(y > 0, dy, np.float32(0))
    gdy, gy, gx, gkernel = arguments = [moved(array, tf32) for array in (dy, y, x, kernel)]
    device.launches.clear()
    dx, dkernel, dbias = row_windows_cuda.backward_relu(*arguments, (1, 1), padding)
    once = ["bias_relu_backward4", "sum_rows4", "conv3x3_32", "dkernel3x3_32"]
    assert not on_standin(tf32) or device.launches == once  # what is masked is what both products read
    after = relu_backward(gdy, gy)
    separate = (
        row_windows.backward_input(after, gkernel, shape, (1, 1), padding),
        row_windows.backward_kernel(gx, after, kernel.shape, (1, 1), padding),
    )
    for got, same in zip((dx, dkernel), separate):
        np.testing.assert_array_equal(on_host(got), on_host(same))
    wanted = im2col.backward_input.definition(rounded(masked), rounded(kernel), shape, (1, 1), padding)
    assert relative_error(on_host(dx), wanted) < 1e-6
    wanted = im2col.backward_kernel.definition(rounded(x), rounded(masked), kernel.shape, (1, 1), padding)
    assert relative_error(on_host(dkernel), wanted) < 1e-6
    assert relative_error(on_host(dbias), masked.sum(axis=(0, 1, 2))) < 1e-5


def test_the_kernel_s_gradient_in_pieces(tf32, monkeypatch):
    """Pieces of 32 and 64 pixels: the pixels of each are counted on, over rows and images, without a division."""
    shape, padding = (3, 4, 9, 32), ((1, 1), (1, 1))
    x, dy = normal(shape, 0, "float32"), normal(shape, 1, "float32")
    wanted = im2col.backward_kernel.definition(rounded(x), rounded(dy), (3, 3, 32, 32), (1, 1), padding)
    for least in (32, 64):
        monkeypatch.setattr(tensor_cores, "LEAST_PIXELS", least)
        got = tensor_cores.backward_kernel(moved(x, tf32), moved(dy, tf32), padding)
        assert relative_error(on_host(got), wanted) < 1e-6


def test_what_runs_where(standin):
    """TF32 allowed and there, channels that fill a tile, and few of them; everything else is for row windows."""
    x = standin.zeros((1, 4, 4, 32), dtype="float32")
    yes, strides = (3, 3, 32, 64), (1, 1)
    assert not tensor_cores.serves(x, yes, strides)  # a T4 has no TF32
    device.capability = "120"
    assert tensor_cores.serves(x, yes, strides)
    for shape in ((3, 3, 32, 48), (3, 3, 16, 32), (3, 3, 32, 256), (3, 2, 32, 32)):
        assert not tensor_cores.serves(x, shape, strides)
    assert not tensor_cores.serves(x, yes, (2, 2)) and not tensor_cores.serves(x.astype("float64"), yes, strides)
    before = cublas.tf32()
    cublas.tf32(False)
    assert not tensor_cores.serves(x, yes, strides)
    cublas.tf32(before)
