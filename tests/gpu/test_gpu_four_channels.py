"""Kernels in which a thread does four channels at once: the bits of those that do one, over random geometries."""

import numpy as np
import pytest
from engine_helpers import normal, relative_error
from standin_arrays import device

import minitorch_cnn as mtc
from minitorch_cnn import layers
from minitorch_cnn.arrays import moved, on_host
from minitorch_cnn.engine.convolution import im2col
from minitorch_cnn.engine.convolution.geometry import output_size
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.reductions import channel_sum
from minitorch_cnn.twins.cuda import cublas, kernels, reductions
from minitorch_cnn.twins.cuda.convolution import im2col as im2col_cuda
from minitorch_cnn.twins.cuda.convolution import row_windows
from minitorch_cnn.twins.cuda.convolution.epilogue import bias_relu, bias_relu_backward


def geometries(count):
    """(x (N, H, W, C) with C a multiple of four, window, strides, padding, (OH, OW))."""
    rng = np.random.default_rng(count)
    while count:
        N, H, W, C = (*rng.integers(1, (4, 9, 9)), 4 * rng.integers(1, 4))
        window, strides = (tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(2))
        padding = tuple(tuple(int(v) for v in rng.integers(0, size, 2)) for size in window)
        if H + sum(padding[0]) >= window[0] and W + sum(padding[1]) >= window[1]:
            count -= 1
            x = normal((int(N), int(H), int(W), int(C)), count, rng.choice(["float32", "float64"]))
            yield x, window, strides, padding, output_size(x.shape[1:3], window, strides, padding)


def with_and_without(monkeypatch, work):
    """The arrays that `work` returns with four channels per thread and with one; all kernels must exist in both."""
    found = []
    for most in (4, 1):
        device.launches.clear()
        with monkeypatch.context() as here:
            if most == 1:
                for module in (kernels, im2col_cuda, row_windows, reductions):
                    here.setattr(module, "together", lambda *arguments: 1)
                from minitorch_cnn.twins.cuda.convolution import epilogue
                from minitorch_cnn.twins.cuda.layers import max_pool2d

                here.setattr(epilogue, "together", lambda *arguments: 1)
                here.setattr(max_pool2d, "together", lambda *arguments: 1)
            found.append([on_host(array) for array in work()])
        wide = {name for name in device.launches if name.endswith("4")}
        assert bool(wide) == (most == 4), device.launches
    for four, one in zip(*found, strict=True):
        np.testing.assert_array_equal(four, one)
    return found[0]


def test_columns_and_pools(standin, monkeypatch):
    for x, window, strides, padding, out in geometries(60):
        gx = moved(x, standin)

        def work(gx=gx, x=x, window=window, strides=strides, padding=padding, out=out):
            columns = im2col_cuda.im2col(gx, window, strides, padding)
            dx = im2col_cuda.col2im(columns * 2, standin.empty(x.shape, dtype=x.dtype), window, strides, padding)
            y, winner = max_pool(gx, window, strides, padding)
            back = max_pool_backward(y, winner, x.shape, window, strides, padding)
            return columns, dx, y, winner, back

        columns, dx, y, winner, back = with_and_without(monkeypatch, work)
        np.testing.assert_array_equal(columns, im2col.im2col(x, window, strides, padding))
        wanted, places = max_pool.definition(x, window, strides, padding)
        np.testing.assert_array_equal(y, wanted)
        np.testing.assert_array_equal(winner, places)
        np.testing.assert_array_equal(
            back, max_pool_backward.definition(wanted, places, x.shape, window, strides, padding)
        )


def test_layouts_of_rows_and_their_ends(standin, monkeypatch):
    for x, window, _, padding, out in geometries(40):
        layout = row_windows.Layout(len(x), x.shape[1:3], window, padding)
        gx, bias = moved(x, standin), moved(normal(x.shape[3:], 1, x.dtype), standin)
        dy = moved(normal((len(x), *out, x.shape[3]), 2, x.dtype), standin)

        def work(gx=gx, dy=dy, bias=bias, layout=layout):
            flat = layout.input(gx, layout.outputs)
            masked, sums = layout.lay_out_masked(dy, abs(dy) - 0.5, 3, layout.outputs + 5)
            separate, dbias = bias_relu_backward(dy, abs(dy) - 0.5)
            return (
                flat,
                masked,
                layout.lay_out(separate, 3, layout.outputs + 5),
                sums,
                dbias,
                bias_relu(dy * 2, bias, True),
            )

        flat, masked, separate, sums, dbias, _ = with_and_without(monkeypatch, work)
        np.testing.assert_array_equal(masked, separate)
        np.testing.assert_allclose(sums, dbias, rtol=1e-4, atol=1e-5)
        rows = flat[layout.lead : layout.lead + layout.outputs].reshape(len(x), layout.T, layout.S, -1)
        np.testing.assert_array_equal(rows[:, : x.shape[1], : x.shape[2]], x)
        assert np.count_nonzero(flat) == np.count_nonzero(x)


def test_channels_that_do_not_begin_at_a_multiple_of_four(standin):
    """A part of an array may begin anywhere; then a thread does one channel."""
    whole = standin.asarray(normal((41,), 0, "float32"))
    assert kernels.together(8, whole[:40]) == 4
    for part, channels in ((whole[1:], 8), (whole[:40], 5)):
        assert kernels.together(channels, part) == 1
    x = whole[1:].reshape(5, 8)
    np.testing.assert_allclose(on_host(channel_sum(x)), on_host(x).sum(axis=0), rtol=1e-5)
    assert set(device.launches) == {"sum_rows"}


def test_a_layout_of_more_pixels_than_an_int_counts(standin):
    """The thread of its last number alone, of 2^32 - 256 pixels of one channel, in an image far behind the first."""
    at, lead, W, S = 2**32 - 257, 2, 3, 4
    n, w = divmod(at - lead, S)
    assert w < W and at > 2**31
    last_thread = f"""
extern "C" __global__ void last(unsigned size, const real* x, real* flat) {{
  blockDim.x = 1, blockIdx.x = {at}u, threadIdx.x = 0;
  lay_out_of<1>({at}u + 1, x - {n * W + w}ll, flat - {at}ll, 2147483647, 1, {W}, 1, 1, {S}, {lead});
}}"""
    last = standin.RawModule(code=kernels.source() + last_thread, options=("-DREAL=float",)).get_function("last")
    flat = standin.zeros(1, dtype="float32")
    last((1,), (1,), (np.uint32(1), standin.asarray(np.float32([7])), flat))
    assert on_host(flat).tolist() == [7]


@pytest.mark.parametrize(
    "M, N, rows, count", [(27, 32, 131072, 96), (1536, 512, 26912, 6), (192, 64, 139392, 96), (27, 32, 100, 1)]
)
def test_as_many_pieces_as_keep_a_gpu_busy(M, N, rows, count):
    assert cublas.pieces(M, N, rows) == count


@pytest.mark.parametrize("R", [128, 400, 641])
def test_a_product_in_pieces(standin, monkeypatch, R):
    a, b = normal((R, 5), 0), normal((R, 3), 1)
    partial = cublas.product_in_pieces(moved(a, standin), moved(b, standin))
    assert len(partial) >= R // 128
    assert relative_error(on_host(partial).sum(axis=0).reshape(5, 3), a.T @ b) < 1e-14


@pytest.mark.parametrize("padding", ["same", "valid", ((1, 0), (2, 1))])
@pytest.mark.parametrize("frozen", [False, True], ids=["", "the first layer"])
def test_all_gradients_of_a_convolution_with_a_relu_at_once(standin, padding, frozen):
    """As a stage runs it: dy is masked and laid out by one kernel, and the gradients are those of the layer."""
    results = []
    for definitions in (False, True):
        device.launches.clear()
        stack = [layers.Conv2D(4, 1), layers.Conv2D(8, 3, padding=padding, activation="relu")]
        model = mtc.Sequential(stack, (6, 7, 3), seed=0).to("cupy")
        if frozen:
            model.freeze(layers=["conv2d_1"])
        x = normal((2, 6, 7, 3), 1, "float32")
        y = model.forward(x, training=True)
        if definitions:
            with mtc.definitions_only():
                model.forward(x, training=True)
                model.backward(moved(normal(y.shape, 2, "float32"), standin))
        else:
            model.backward(moved(normal(y.shape, 2, "float32"), standin))
            assert device.launches.count("mask_and_lay_out4") == 1 and "bias_relu_backward4" not in device.launches
        results.append(
            {(layer.name, name): on_host(g) for layer in model.layers for name, g in layer.gradients.items()}
        )
    assert results[0].keys() == results[1].keys() and results[0]
    for key, wanted in results[1].items():
        assert relative_error(results[0][key], wanted) < 2e-6, key
